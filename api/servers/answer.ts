import type { ServerRow } from '../../db/queries/servers.js';
import type { ServerLoad } from '../../workflows/contract/servers/probes.js';

/** A server as the API answers it: never its SQL password, not even the reference. */
export function serverAnswer(row: ServerRow, clients: number) {
  return {
    id: row.id,
    name: row.name,
    host: row.host,
    domain: row.domain,
    active: row.active,
    ssh_port: row.sshPort,
    ssh_user: row.sshUser,
    ssh_host_key: row.sshHostKey,
    ssh_host_key_confirmed: row.sshHostKeyConfirmed,
    sql_engine: row.sqlEngine,
    sql_host: row.sqlHost,
    sql_port: row.sqlPort,
    sql_user: row.sqlUser,
    base_dir: row.baseDir,
    vhost_dir: row.vhostDir,
    client_pool: row.clientPool,
    port_range: `${row.portFrom}-${row.portTo}`,
    stage: row.stage,
    publisher: row.publisher,
    product: row.product,
    rehearse: row.rehearse,
    tls: row.tls,
    tls_cert: row.tlsCert,
    tls_key: row.tlsKey,
    clients,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

export function loadAnswer(load: ServerLoad) {
  return {
    read_at: load.readAt,
    load_average: load.loadAverage,
    cpus: load.cpus,
    memory_total_bytes: load.memoryTotalBytes,
    memory_available_bytes: load.memoryAvailableBytes,
    disk_total_bytes: load.diskTotalBytes,
    disk_free_bytes: load.diskFreeBytes,
    docker_version: load.dockerVersion,
    containers_running: load.containersRunning,
    containers_total: load.containersTotal,
    images: load.images,
    uptime_seconds: load.uptimeSeconds,
  };
}

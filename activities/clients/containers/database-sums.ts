import type { Server } from '../../hosts/connections.js';
import { type Script, sh } from '../../ssh/shell.js';

/**
 * Functions for scripts that have `sqlTools`: what is in `$database`, as text that is equal where the contents are,
 * whatever the database is called. `sums_of_database` writes a line for each table (`table`, rows, a sum over them in any
 * order, name), sequence and option; `schema_of_database` its definitions, `rights_on_database` what others may do in it.
 * Nothing may write meanwhile.
 */
export function databaseSums({ sqlEngine }: Pick<Server, 'sqlEngine'>): Script {
  return sqlEngine === 'postgres' ? POSTGRES : MARIADB;
}

/**
 * `differences <sums> <other sums> <schema> <other schema>` names what differs, and nothing of what stands there; equal is
 * silence.
 */
export const DIFFERENCES = sh`
differences() {
  awk -F '\t' '
    { name = $1 " " $4 }
    FNR == NR { first[name] = $0; next }
    !(name in first) { print "only in the second: " name; next }
    first[name] != $0 { print "differs: " name }
    { delete first[name] }
    END { for (name in first) print "only in the first: " name }' "$1" "$2" | LC_ALL=C sort
  awk '
    function begins() {
      if (match($0, /^-- Name: .*; Type: [^;]*/) || match($0, /^-- [A-Z].* (for|view|table) .*$/))
        return substr($0, RSTART + 3, RLENGTH - 3)
      if ($0 ~ /^(\/\*!5[0-9]* )?CREATE/ && match($0, /(PROCEDURE|FUNCTION|EVENT|TRIGGER|trigger) [^ (]*/))
        return substr($0, RSTART, RLENGTH)
      return ""
    }
    FNR == 1 { at = "what comes first" }
    { part = begins(); if (part != "") at = part }
    FNR == NR { first[at] = first[at] $0 "\n"; next }
    { second[at] = second[at] $0 "\n" }
    END {
      for (at in first) if (!(at in second)) print "only in the first: " at
      for (at in second) if (first[at] != second[at]) print (at in first ? "differs: " : "only in the second: ") at
    }' "$3" "$4" | LC_ALL=C sort
}`;

/**
 * SELECTs that the server writes itself, one for each table and sequence. Large values go by sums of their own, since no
 * concatenation may exceed a packet; a float is as every dump writes it, in six digits; of versioned tables all that was.
 * CRC32 costs no more than reading, MD5 thrice as much; nobody forges rows here.
 */
const WRITE_SELECTS = `SET SESSION group_concat_max_len = 1073741824;
SELECT CONCAT('SELECT CONCAT_WS(''\t'', ''table'', COUNT(*), COALESCE(SUM(CRC32(CONCAT_WS('','', ',
  GROUP_CONCAT(CONCAT('IFNULL(', CASE
    WHEN c.DATA_TYPE LIKE '%blob' OR c.DATA_TYPE LIKE '%text' THEN CONCAT('CRC32(', c.quoted, ')')
    WHEN c.NUMERIC_PRECISION IS NULL OR c.DATA_TYPE = 'bit' THEN CONCAT('HEX(', c.quoted, ')')
    ELSE c.quoted END, ', ''N'')') ORDER BY c.ORDINAL_POSITION SEPARATOR ', '),
  IF(t.TABLE_TYPE = 'SYSTEM VERSIONED', ', ROW_START, ROW_END', ''),
  '))), 0), ', QUOTE(t.TABLE_NAME), ') FROM \`', REPLACE(t.TABLE_NAME, '\`', '\`\`'), '\`',
  IF(t.TABLE_TYPE = 'SYSTEM VERSIONED', ' FOR SYSTEM_TIME ALL', ''), ';')
FROM information_schema.TABLES AS t JOIN (
  SELECT *, CONCAT('\`', REPLACE(COLUMN_NAME, '\`', '\`\`'), '\`') AS quoted FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = DATABASE()) AS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME
WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') GROUP BY t.TABLE_NAME, t.TABLE_TYPE;
SELECT CONCAT('SELECT CONCAT_WS(''\t'', ''sequence'', next_not_cached_value, cycle_count, ', QUOTE(TABLE_NAME), ') FROM \`',
  REPLACE(TABLE_NAME, '\`', '\`\`'), '\`;') FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'SEQUENCE';
SELECT 'SELECT CONCAT_WS(''\t'', ''option'', DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, '''') FROM
  information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE();'`;

/** Of the database itself, of its tables and of columns; routines' stand in nobody's view. */
const RIGHTS_MARIADB = `SELECT CONCAT_WS('\t', 'right', '', IS_GRANTABLE, CONCAT(PRIVILEGE_TYPE, ' ', GRANTEE, ' ', of_what)) FROM (
  SELECT PRIVILEGE_TYPE, IS_GRANTABLE, GRANTEE, '' AS of_what FROM information_schema.SCHEMA_PRIVILEGES
    WHERE REPLACE(TABLE_SCHEMA, '\\\\', '') = DATABASE()
  UNION ALL SELECT PRIVILEGE_TYPE, IS_GRANTABLE, GRANTEE, TABLE_NAME FROM information_schema.TABLE_PRIVILEGES
    WHERE TABLE_SCHEMA = DATABASE()
  UNION ALL SELECT PRIVILEGE_TYPE, IS_GRANTABLE, GRANTEE, CONCAT(TABLE_NAME, '.', COLUMN_NAME)
    FROM information_schema.COLUMN_PRIVILEGES WHERE TABLE_SCHEMA = DATABASE()) AS rights`;

const MARIADB = sh`
sums_of_database() {
  { echo "SET time_zone = '+00:00', sql_mode = '';"
    ask --raw -e ${WRITE_SELECTS} "$database" </dev/null
  } | ask --raw "$database" | LC_ALL=C sort
}
rights_on_database() { ask --raw -e ${RIGHTS_MARIADB} "$database" </dev/null | LC_ALL=C sort; }
# its own name is in the heads of some parts, and before sequences
schema_of_database() {
  "$dumper" "\${address[@]}" --no-data --routines --events --triggers --skip-dump-date -- "$database" </dev/null |
    unqualified | LC_ALL=C sed "/^-- \(Host: \|Server version\)/d; s/^\(-- Dumping .* for database\) .*/\1/"
}`;

/** Rows by psql's \gexec: what the first part writes is what the server then answers. */
const SUMS_POSTGRES = `
SELECT format('SELECT concat_ws(E''\\t'', ''table'', count(*),
    coalesce(sum((''x'' || left(md5(ROW(%s)::text), 15))::bit(60)::bigint), 0), %L) FROM ONLY %s',
  (SELECT string_agg(CASE WHEN t.typname IN ('bytea', 'text', 'varchar', 'json', 'jsonb', 'xml')
      THEN format(CASE t.typname WHEN 'bytea' THEN 'md5(%I)' ELSE 'md5(%I::text)' END, a.attname)
      ELSE quote_ident(a.attname) END, ', ' ORDER BY a.attnum)
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), c.oid::regclass, c.oid::regclass)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
\\gexec
SELECT format('SELECT concat_ws(E''\\t'', ''sequence'', last_value, is_called, %L) FROM %s', c.oid::regclass, c.oid::regclass)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND n.nspname !~ '^pg_'
\\gexec
SELECT concat_ws(E'\\t', 'large objects', count(*),
  coalesce(sum(('x' || left(md5(oid || md5(lo_get(oid))), 15))::bit(60)::bigint), 0), '')
FROM pg_largeobject_metadata WHERE pg_has_role(lomowner, 'MEMBER');
SELECT concat_ws(E'\\t', 'option', pg_encoding_to_char(encoding), datcollate || ' ' || datctype, '')
FROM pg_database WHERE datname = current_database();
`;

const RIGHTS_POSTGRES = `
SELECT concat_ws(E'\\t', 'setting', '', substr(c, strpos(c, '=') + 1), coalesce(r.rolname, '') || ' ' || split_part(c, '=', 1))
FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase AND d.datname = current_database()
  LEFT JOIN pg_roles AS r ON r.oid = s.setrole CROSS JOIN unnest(s.setconfig) AS c
UNION ALL SELECT concat_ws(E'\\t', 'right', '', a.is_grantable, a.privilege_type || ' ' || coalesce(r.rolname, 'PUBLIC'))
FROM pg_database AS d CROSS JOIN aclexplode(d.datacl) AS a LEFT JOIN pg_roles AS r ON r.oid = a.grantee
WHERE d.datname = current_database()`;

const POSTGRES = sh`
export PGTZ=UTC PGDATESTYLE=ISO PGOPTIONS='-c extra_float_digits=3'
asked() {
  psql "\${address[@]}" --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "--dbname=$database" |
    LC_ALL=C sort
}
sums_of_database() { printf '%s\n' ${SUMS_POSTGRES} | asked; }
rights_on_database() { printf '%s\n' ${RIGHTS_POSTGRES} | asked; }
# newer tools write a random word into each dump
schema_of_database() {
  pg_dump "\${address[@]}" --schema-only --no-owner "$@" -- "$database" | sed '/^\\\(un\)\{0,1\}restrict /d'
}`;

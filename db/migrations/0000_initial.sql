CREATE TABLE "admins" (
	"login" text PRIMARY KEY NOT NULL,
	"password_hash" text NOT NULL,
	"changed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"scope" text NOT NULL,
	"digest" "bytea" NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	CONSTRAINT "api_keys_name" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"address" text NOT NULL,
	"request_id" text NOT NULL,
	"route" text NOT NULL,
	"subject" text,
	"operation_id" text,
	"outcome" text NOT NULL,
	"detail" jsonb
);
--> statement-breakpoint
CREATE TABLE "login_counts" (
	"key" text PRIMARY KEY NOT NULL,
	"points" integer NOT NULL,
	"expire" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "secrets" (
	"id" text PRIMARY KEY NOT NULL,
	"owner" text NOT NULL,
	"name" text NOT NULL,
	"key_id" text NOT NULL,
	"nonce" "bytea" NOT NULL,
	"ciphertext" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "settings" (
	"section" text NOT NULL,
	"key" text NOT NULL,
	"value" text NOT NULL,
	CONSTRAINT "settings_section_key_pk" PRIMARY KEY("section","key")
);
--> statement-breakpoint
CREATE TABLE "admissions" (
	"server_id" integer NOT NULL,
	"operation_id" text NOT NULL,
	"root_id" text NOT NULL,
	"mode" text NOT NULL,
	"taking" integer NOT NULL,
	"ticket" bigserial NOT NULL,
	"requested_at" timestamp with time zone DEFAULT now() NOT NULL,
	"granted_at" timestamp with time zone,
	"given_back_at" timestamp with time zone,
	"checked_at" timestamp with time zone,
	CONSTRAINT "admissions_server_id_operation_id_pk" PRIMARY KEY("server_id","operation_id")
);
--> statement-breakpoint
CREATE TABLE "operation_timeline" (
	"operation_id" text NOT NULL,
	"run_ordinal" integer NOT NULL,
	"event" integer NOT NULL,
	"time" timestamp with time zone NOT NULL,
	"type" text NOT NULL,
	"step" text,
	"message" text NOT NULL,
	"data" jsonb NOT NULL,
	CONSTRAINT "operation_timeline_operation_id_run_ordinal_event_pk" PRIMARY KEY("operation_id","run_ordinal","event")
);
--> statement-breakpoint
CREATE TABLE "backups" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "backups_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"client_id" integer NOT NULL,
	"server_id" integer NOT NULL,
	"kind" text NOT NULL,
	"operation_id" text NOT NULL,
	"path" text NOT NULL,
	"size_bytes" bigint,
	"version_tag" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "billing_types" (
	"id" text PRIMARY KEY NOT NULL,
	"title" text NOT NULL,
	"position" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "clients" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "clients_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"server_id" integer NOT NULL,
	"status" text NOT NULL,
	"kind" text DEFAULT 'client' NOT NULL,
	"name" text NOT NULL,
	"short_name" text DEFAULT '' NOT NULL,
	"admin_f" text DEFAULT '' NOT NULL,
	"admin_i" text DEFAULT '' NOT NULL,
	"admin_o" text DEFAULT '' NOT NULL,
	"admin_login" text NOT NULL,
	"admin_password" text,
	"admin_password_given" boolean DEFAULT false NOT NULL,
	"subdomain" text NOT NULL,
	"email" text NOT NULL,
	"phone" text DEFAULT '' NOT NULL,
	"city" text DEFAULT '' NOT NULL,
	"timezone" text DEFAULT 'UTC' NOT NULL,
	"version_tag" text NOT NULL,
	"allowed_ips" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"config" text DEFAULT '' NOT NULL,
	"license" text DEFAULT '' NOT NULL,
	"license_expires_at" timestamp with time zone,
	"billing_type" text NOT NULL,
	"port" integer,
	"subnet_index" integer,
	"names" jsonb,
	"operation_id" text,
	"available" boolean,
	"available_checked_at" timestamp with time zone,
	"available_since" timestamp with time zone,
	"available_error" text,
	"users" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mails" (
	"effect_key" text PRIMARY KEY NOT NULL,
	"client_id" integer,
	"template" text NOT NULL,
	"recipient" text NOT NULL,
	"state" text NOT NULL,
	"message_id" text NOT NULL,
	"error" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"key" text NOT NULL,
	"route" text NOT NULL,
	"actor" text NOT NULL,
	"body_digest" text NOT NULL,
	"operation_id" text NOT NULL,
	"subject_id" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_actor_route_key_pk" PRIMARY KEY("actor","route","key")
);
--> statement-breakpoint
CREATE TABLE "operation_events" (
	"operation_id" text NOT NULL,
	"seq" integer NOT NULL,
	"key" text NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	"type" text NOT NULL,
	"step" text,
	"message" text NOT NULL,
	"level" text NOT NULL,
	CONSTRAINT "operation_events_operation_id_seq_pk" PRIMARY KEY("operation_id","seq")
);
--> statement-breakpoint
CREATE TABLE "operation_output" (
	"operation_id" text NOT NULL,
	"step" text NOT NULL,
	"position" bigint NOT NULL,
	"job" text NOT NULL,
	"offset" bigint NOT NULL,
	"end_offset" bigint NOT NULL,
	"text" text NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "operation_output_operation_id_step_position_pk" PRIMARY KEY("operation_id","step","position")
);
--> statement-breakpoint
CREATE TABLE "operation_steps" (
	"operation_id" text NOT NULL,
	"key" text NOT NULL,
	"title" text NOT NULL,
	"state" text NOT NULL,
	"seq" integer NOT NULL,
	"attempt" integer NOT NULL,
	"try" integer NOT NULL,
	"summary" text,
	"error" jsonb,
	"started_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone,
	"failing_since" timestamp with time zone,
	CONSTRAINT "operation_steps_operation_id_key_pk" PRIMARY KEY("operation_id","key")
);
--> statement-breakpoint
CREATE TABLE "operation_undos" (
	"operation_id" text NOT NULL,
	"id" text NOT NULL,
	"seq" integer NOT NULL,
	"step" text NOT NULL,
	"title" text NOT NULL,
	"activity" text NOT NULL,
	"input" jsonb NOT NULL,
	"state" text NOT NULL,
	"error" text,
	"registered_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	CONSTRAINT "operation_undos_operation_id_id_pk" PRIMARY KEY("operation_id","id")
);
--> statement-breakpoint
CREATE TABLE "operations" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"subject" text NOT NULL,
	"state" text NOT NULL,
	"title" text NOT NULL,
	"actor" text NOT NULL,
	"request_id" text,
	"request_digest" text,
	"input" jsonb NOT NULL,
	"run_id" text,
	"server_id" integer,
	"client_id" integer,
	"parent_id" text,
	"waiting_for" text,
	"hold" jsonb,
	"failed_step" text,
	"warnings" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"leftovers" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"decisions" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"result" jsonb,
	"error" jsonb,
	"last_event" integer DEFAULT 0 NOT NULL,
	"last_record" integer DEFAULT 0 NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"confirmed_at" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"stuck" boolean DEFAULT false NOT NULL,
	"archived_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "servers" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "servers_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	"host" text NOT NULL,
	"domain" text NOT NULL,
	"active" boolean DEFAULT true NOT NULL,
	"ssh_port" integer DEFAULT 22 NOT NULL,
	"ssh_user" text DEFAULT 'www-data' NOT NULL,
	"ssh_host_key" text,
	"ssh_host_key_confirmed" boolean DEFAULT false NOT NULL,
	"sql_engine" text DEFAULT 'mariadb' NOT NULL,
	"sql_host" text NOT NULL,
	"sql_port" integer NOT NULL,
	"sql_user" text NOT NULL,
	"sql_password" text NOT NULL,
	"base_dir" text DEFAULT '/srv' NOT NULL,
	"vhost_dir" text DEFAULT '/etc/nginx/conf.d' NOT NULL,
	"client_pool" text DEFAULT '10.213.0.0/16' NOT NULL,
	"port_from" integer DEFAULT 20000 NOT NULL,
	"port_to" integer DEFAULT 29999 NOT NULL,
	"stage" boolean DEFAULT false NOT NULL,
	"publisher" boolean DEFAULT false NOT NULL,
	"product" text NOT NULL,
	"tls" text DEFAULT 'auto' NOT NULL,
	"tls_cert" text,
	"tls_key" text,
	"reading" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "notices" (
	"id" text PRIMARY KEY NOT NULL,
	"operation_id" text NOT NULL,
	"subject" text NOT NULL,
	"body" text NOT NULL,
	"mail" text DEFAULT 'open' NOT NULL,
	"webhook" text DEFAULT 'open' NOT NULL,
	"tries" integer DEFAULT 0 NOT NULL,
	"next_try_at" timestamp with time zone DEFAULT now() NOT NULL,
	"error" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "admissions" ADD CONSTRAINT "admissions_operation_id_operations_id_fk" FOREIGN KEY ("operation_id") REFERENCES "public"."operations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operation_timeline" ADD CONSTRAINT "operation_timeline_operation_id_operations_id_fk" FOREIGN KEY ("operation_id") REFERENCES "public"."operations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "clients" ADD CONSTRAINT "clients_server_id_servers_id_fk" FOREIGN KEY ("server_id") REFERENCES "public"."servers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "clients" ADD CONSTRAINT "clients_billing_type_billing_types_id_fk" FOREIGN KEY ("billing_type") REFERENCES "public"."billing_types"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operation_events" ADD CONSTRAINT "operation_events_operation_id_operations_id_fk" FOREIGN KEY ("operation_id") REFERENCES "public"."operations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operation_output" ADD CONSTRAINT "operation_output_operation_id_operations_id_fk" FOREIGN KEY ("operation_id") REFERENCES "public"."operations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operation_steps" ADD CONSTRAINT "operation_steps_operation_id_operations_id_fk" FOREIGN KEY ("operation_id") REFERENCES "public"."operations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "operation_undos" ADD CONSTRAINT "operation_undos_operation_id_operations_id_fk" FOREIGN KEY ("operation_id") REFERENCES "public"."operations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notices" ADD CONSTRAINT "notices_operation_id_operations_id_fk" FOREIGN KEY ("operation_id") REFERENCES "public"."operations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_log_subject" ON "audit_log" USING btree ("subject","id");--> statement-breakpoint
CREATE INDEX "audit_log_actor" ON "audit_log" USING btree ("actor","id");--> statement-breakpoint
CREATE INDEX "audit_log_operation" ON "audit_log" USING btree ("operation_id","id");--> statement-breakpoint
CREATE INDEX "audit_log_time" ON "audit_log" USING btree ("time");--> statement-breakpoint
CREATE INDEX "secrets_owner" ON "secrets" USING btree ("owner","name");--> statement-breakpoint
CREATE INDEX "admissions_operation" ON "admissions" USING btree ("operation_id");--> statement-breakpoint
CREATE UNIQUE INDEX "clients_subdomain" ON "clients" USING btree ("subdomain") WHERE "clients"."status" not in ('failed', 'deleted');--> statement-breakpoint
CREATE UNIQUE INDEX "clients_port" ON "clients" USING btree ("server_id","port") WHERE "clients"."port" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "clients_subnet" ON "clients" USING btree ("server_id","subnet_index") WHERE "clients"."subnet_index" is not null;--> statement-breakpoint
CREATE INDEX "clients_server" ON "clients" USING btree ("server_id","id");--> statement-breakpoint
CREATE INDEX "clients_status" ON "clients" USING btree ("status","id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_operation" ON "idempotency_keys" USING btree ("operation_id");--> statement-breakpoint
CREATE UNIQUE INDEX "operation_events_key" ON "operation_events" USING btree ("operation_id","key");--> statement-breakpoint
CREATE INDEX "operations_subject" ON "operations" USING btree ("subject","id");--> statement-breakpoint
CREATE INDEX "operations_state" ON "operations" USING btree ("state","id");--> statement-breakpoint
CREATE INDEX "operations_server" ON "operations" USING btree ("server_id","id");--> statement-breakpoint
CREATE INDEX "operations_parent" ON "operations" USING btree ("parent_id","id");--> statement-breakpoint
CREATE INDEX "operations_unarchived" ON "operations" USING btree ("id") WHERE "operations"."archived_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "servers_host" ON "servers" USING btree (lower("host"),"ssh_port");--> statement-breakpoint
CREATE INDEX "notices_next_try" ON "notices" USING btree ("next_try_at") WHERE "notices"."mail" in ('open', 'sending') or "notices"."webhook" = 'open';
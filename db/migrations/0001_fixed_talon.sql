CREATE TABLE "client_changes" (
	"operation_id" text PRIMARY KEY NOT NULL,
	"client_id" integer NOT NULL,
	"changes" jsonb NOT NULL,
	"former" jsonb,
	"former_settings" jsonb
);
--> statement-breakpoint
CREATE TABLE "client_places" (
	"client_id" integer NOT NULL,
	"server_id" integer NOT NULL,
	"state" text NOT NULL,
	"names" jsonb NOT NULL,
	"operation_id" text NOT NULL,
	"port" integer NOT NULL,
	"subnet_index" integer NOT NULL,
	"status" text,
	"keep_until" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "client_places_client_id_server_id_pk" PRIMARY KEY("client_id","server_id")
);
--> statement-breakpoint
CREATE TABLE "license_notices" (
	"client_id" integer NOT NULL,
	"license_end" timestamp with time zone NOT NULL,
	"days" integer NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"state" text NOT NULL,
	"error" text,
	"changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "license_notices_client_id_license_end_days_pk" PRIMARY KEY("client_id","license_end","days")
);
--> statement-breakpoint
CREATE TABLE "releases" (
	"operation_id" text PRIMARY KEY NOT NULL,
	"version" text NOT NULL,
	"info" text NOT NULL,
	"released_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "backups" ADD COLUMN "removed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "demo" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "moved_by" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "users_counted_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "certificate" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "certificate_error" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "certificate_expires_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "certificate_checked_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "client_places" ADD CONSTRAINT "client_places_client_id_clients_id_fk" FOREIGN KEY ("client_id") REFERENCES "public"."clients"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "client_places" ADD CONSTRAINT "client_places_server_id_servers_id_fk" FOREIGN KEY ("server_id") REFERENCES "public"."servers"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "license_notices" ADD CONSTRAINT "license_notices_client_id_clients_id_fk" FOREIGN KEY ("client_id") REFERENCES "public"."clients"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "client_changes_client" ON "client_changes" USING btree ("client_id");--> statement-breakpoint
CREATE UNIQUE INDEX "client_places_port" ON "client_places" USING btree ("server_id","port");--> statement-breakpoint
CREATE UNIQUE INDEX "client_places_subnet" ON "client_places" USING btree ("server_id","subnet_index");--> statement-breakpoint
CREATE INDEX "license_notices_due" ON "license_notices" USING btree ("due_at") WHERE "license_notices"."state" = 'planned';--> statement-breakpoint
CREATE UNIQUE INDEX "backups_path" ON "backups" USING btree ("server_id","path");--> statement-breakpoint
CREATE INDEX "backups_due" ON "backups" USING btree ("server_id","expires_at") WHERE "backups"."removed_at" is null;--> statement-breakpoint
CREATE INDEX "clients_living" ON "clients" USING btree ("id") WHERE "clients"."status" <> 'deleted';
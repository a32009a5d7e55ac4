CREATE TABLE "client_changes" (
	"operation_id" text PRIMARY KEY NOT NULL,
	"client_id" integer NOT NULL,
	"changes" jsonb NOT NULL,
	"former" jsonb,
	"former_settings" jsonb
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
CREATE INDEX "client_changes_client" ON "client_changes" USING btree ("client_id");--> statement-breakpoint
CREATE UNIQUE INDEX "backups_path" ON "backups" USING btree ("server_id","path");--> statement-breakpoint
CREATE INDEX "backups_due" ON "backups" USING btree ("server_id","expires_at") WHERE "backups"."removed_at" is null;--> statement-breakpoint
CREATE INDEX "clients_living" ON "clients" USING btree ("id") WHERE "clients"."status" <> 'deleted';
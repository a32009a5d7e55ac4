CREATE TABLE "client_changes" (
	"operation_id" text PRIMARY KEY NOT NULL,
	"client_id" integer NOT NULL,
	"changes" jsonb NOT NULL,
	"former" jsonb,
	"former_settings" jsonb
);
--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "demo" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "client_changes_client" ON "client_changes" USING btree ("client_id");
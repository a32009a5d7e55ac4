ALTER TABLE "backups" ADD COLUMN "removed_at" timestamp with time zone;--> statement-breakpoint
CREATE UNIQUE INDEX "backups_path" ON "backups" USING btree ("server_id","path");--> statement-breakpoint
CREATE INDEX "backups_due" ON "backups" USING btree ("server_id","expires_at") WHERE "backups"."removed_at" is null;
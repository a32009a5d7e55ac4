ALTER TABLE "license_notices" RENAME TO "license_reminders";--> statement-breakpoint
ALTER TABLE "license_reminders" DROP CONSTRAINT "license_notices_client_id_clients_id_fk";
--> statement-breakpoint
DROP INDEX "license_notices_due";--> statement-breakpoint
ALTER TABLE "license_reminders" DROP CONSTRAINT "license_notices_client_id_license_end_days_pk";--> statement-breakpoint
ALTER TABLE "license_reminders" ADD CONSTRAINT "license_reminders_client_id_license_end_days_pk" PRIMARY KEY("client_id","license_end","days");--> statement-breakpoint
ALTER TABLE "license_reminders" ADD CONSTRAINT "license_reminders_client_id_clients_id_fk" FOREIGN KEY ("client_id") REFERENCES "public"."clients"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "license_reminders_due" ON "license_reminders" USING btree ("due_at") WHERE "license_reminders"."state" = 'planned';
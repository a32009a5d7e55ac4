DROP INDEX "operations_server";--> statement-breakpoint
ALTER TABLE "operations" ADD COLUMN "places" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
UPDATE "operations" SET "places" = ARRAY['server:' || "server_id"] WHERE "server_id" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "operations_places" ON "operations" USING gin ("places");--> statement-breakpoint
ALTER TABLE "operations" DROP COLUMN "server_id";--> statement-breakpoint
ALTER TABLE "operations" DROP COLUMN "client_id";--> statement-breakpoint
ALTER TABLE "admissions" ADD COLUMN "place" text;--> statement-breakpoint
UPDATE "admissions" SET "place" = 'server:' || "server_id";--> statement-breakpoint
ALTER TABLE "admissions" ALTER COLUMN "place" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "admissions" DROP CONSTRAINT "admissions_server_id_operation_id_pk";--> statement-breakpoint
ALTER TABLE "admissions" DROP COLUMN "server_id";--> statement-breakpoint
ALTER TABLE "admissions" ADD CONSTRAINT "admissions_place_operation_id_pk" PRIMARY KEY("place","operation_id");

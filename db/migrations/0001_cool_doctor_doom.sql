CREATE TABLE "releases" (
	"operation_id" text PRIMARY KEY NOT NULL,
	"version" text NOT NULL,
	"info" text NOT NULL,
	"released_at" timestamp with time zone DEFAULT now() NOT NULL
);

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

type migration struct {
	name string
	// since is the first version of the product that has it.
	since      string
	statements []string
}

// migrations can be repeated: MariaDB cannot roll back what defines tables, so a killed one is run again.
var migrations = []migration{
	{"0001_create_users", "0", []string{`CREATE TABLE IF NOT EXISTS users (id {id}, login VARCHAR(190) NOT NULL UNIQUE,
		password VARCHAR(100) NOT NULL, surname TEXT, name TEXT, patronymic TEXT, email TEXT, demo INT NOT NULL DEFAULT 0)`}},
	{"0002_create_laboratories", "0", []string{`CREATE TABLE IF NOT EXISTS laboratories (code VARCHAR(32) PRIMARY KEY, name TEXT NOT NULL)`}},
	{"0003_create_cloud_tables", "0", []string{
		`CREATE TABLE IF NOT EXISTS cloud_settings (name VARCHAR(64) PRIMARY KEY, value TEXT)`,
		`CREATE TABLE IF NOT EXISTS cloud_versions (version VARCHAR(64) PRIMARY KEY, info TEXT, released_at TIMESTAMP NULL)`,
	}},
	{"0004_create_notes", "0", []string{`CREATE TABLE IF NOT EXISTS notes (id {id}, body TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)`}},
	{"0005_create_analyses", "1.0", []string{`CREATE TABLE IF NOT EXISTS analyses (code VARCHAR(32) PRIMARY KEY, title TEXT NOT NULL, demo INT NOT NULL DEFAULT 0)`}},
	{"0006_add_author_to_notes", "1.1", []string{`ALTER TABLE notes ADD COLUMN IF NOT EXISTS author VARCHAR(190)`}},
	{"0007_create_orders", "1.2", []string{`CREATE TABLE IF NOT EXISTS orders (id {id}, analysis VARCHAR(32) NOT NULL, demo INT NOT NULL DEFAULT 0)`}},
	{"0009_add_seen_to_notes", "1.4", []string{`ALTER TABLE notes ADD COLUMN IF NOT EXISTS seen INT NOT NULL DEFAULT 0`}},
	{"0008_add_phone_to_users", "2.0", []string{`ALTER TABLE users ADD COLUMN IF NOT EXISTS phone VARCHAR(40)`}},
}

// migrate applies what the version brings and the database lacks, one line per migration. Tests make it slow with
// SAMPLE_MIGRATE_SECONDS, make it fail behind its first migration with SAMPLE_FAIL=migrate, and ask it with SAMPLE_CALL
// what it can reach.
func migrate(ctx context.Context, a *app) error {
	db, err := a.database()
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.do(ctx, `CREATE TABLE IF NOT EXISTS migrations (migration VARCHAR(190) PRIMARY KEY, batch INT NOT NULL)`); err != nil {
		return err
	}
	call(a)
	if err := dawdle(ctx, a); err != nil {
		return err
	}
	pending, batch, err := pendingMigrations(ctx, a, db)
	if err != nil {
		return err
	}
	for _, next := range pending {
		if err := apply(ctx, db, next, batch); err != nil {
			return fmt.Errorf("%s: %w", next.name, err)
		}
		a.say("migrated %s", next.name)
		if a.fails("migrate") {
			break
		}
	}
	if a.fails("migrate") {
		return errors.New("migrate fails because SAMPLE_FAIL says so")
	}
	if len(pending) == 0 {
		a.say("nothing to migrate")
	}
	return nil
}

// call says which of the addresses of SAMPLE_CALL answer, and whether it could send a mail.
func call(a *app) {
	addresses := a.env.get("SAMPLE_CALL", "")
	if addresses == "" {
		return
	}
	for _, address := range strings.Split(addresses, ",") {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			a.say("does not reach %s", address)
			continue
		}
		_ = connection.Close()
		a.say("reaches %s", address)
	}
	a.say("has a key for mails: %t", a.env.get("MAIL_KEY", "") != "")
}

func dawdle(ctx context.Context, a *app) error {
	seconds, err := strconv.Atoi(a.env.get("SAMPLE_MIGRATE_SECONDS", "0"))
	if err != nil {
		return fmt.Errorf("SAMPLE_MIGRATE_SECONDS: %w", err)
	}
	for i := 1; i <= seconds; i++ {
		a.say("migrating, second %d of %d", i, seconds)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func pendingMigrations(ctx context.Context, a *app, db *database) (pending []migration, batch int, err error) {
	rows, err := db.QueryContext(ctx, "SELECT migration, batch FROM migrations")
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	done := map[string]bool{}
	for rows.Next() {
		var name string
		var number int
		if err := rows.Scan(&name, &number); err != nil {
			return nil, 0, err
		}
		done[name], batch = true, max(batch, number)
	}
	for _, candidate := range migrations {
		if !done[candidate.name] && compareVersions(a.version, candidate.since) >= 0 {
			pending = append(pending, candidate)
		}
	}
	return pending, batch + 1, rows.Err()
}

func apply(ctx context.Context, db *database, m migration, batch int) error {
	for _, statement := range m.statements {
		if err := db.do(ctx, statement); err != nil {
			return err
		}
	}
	return db.upsert(ctx, "migrations", []string{"migration", "batch"}, m.name, batch)
}

// compareVersions compares the numbers of versions such as 1.3-master; what follows the dash does not count.
func compareVersions(a, b string) int {
	left, right := versionNumbers(a), versionNumbers(b)
	for i := range max(len(left), len(right)) {
		var x, y int
		if i < len(left) {
			x = left[i]
		}
		if i < len(right) {
			y = right[i]
		}
		if x != y {
			return x - y
		}
	}
	return 0
}

func versionNumbers(version string) (numbers []int) {
	head, _, _ := strings.Cut(version, "-")
	for _, part := range strings.Split(strings.TrimPrefix(head, "v"), ".") {
		number, _ := strconv.Atoi(part)
		numbers = append(numbers, number)
	}
	return numbers
}

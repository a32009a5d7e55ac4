package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/lib/pq"
)

// database is the client's own, on MariaDB or Postgres by DB_CONNECTION; statements are written with ? for both.
type database struct {
	*sql.DB
	postgres bool
}

func (a *app) database() (*database, error) {
	address := net.JoinHostPort(a.env.get("DB_HOST", "127.0.0.1"), a.env.get("DB_PORT", "3306"))
	user, password := a.env.get("DB_USERNAME", ""), a.env.get("DB_PASSWORD", "")
	name := a.env.get("DB_DATABASE", "")
	switch driver := a.env.get("DB_CONNECTION", "mysql"); driver {
	case "mysql", "mariadb":
		config := mysql.NewConfig()
		config.Net, config.Addr, config.User, config.Passwd, config.DBName = "tcp", address, user, password, name
		config.ParseTime, config.Timeout = true, 3*time.Second
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, err
		}
		return pooled(sql.OpenDB(connector), false), nil
	case "pgsql":
		where := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: address, Path: "/" + name,
			RawQuery: "sslmode=disable&connect_timeout=3"}
		db, err := sql.Open("postgres", where.String())
		if err != nil {
			return nil, err
		}
		return pooled(db, true), nil
	default:
		return nil, fmt.Errorf("DB_CONNECTION=%s is not known", driver)
	}
}

// pooled bounds the connections: many clients share one SQL server.
func pooled(db *sql.DB, postgres bool) *database {
	db.SetMaxOpenConns(5)
	db.SetConnMaxIdleTime(30 * time.Second)
	return &database{DB: db, postgres: postgres}
}

// sql writes a statement in the engine's own words: ? as $1, {id} as the type of a row's number.
func (d *database) sql(statement string) string {
	if !d.postgres {
		return strings.ReplaceAll(statement, "{id}", "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY")
	}
	parts := strings.Split(strings.ReplaceAll(statement, "{id}", "BIGSERIAL PRIMARY KEY"), "?")
	var written strings.Builder
	for i, part := range parts {
		if i > 0 {
			fmt.Fprintf(&written, "$%d", i)
		}
		written.WriteString(part)
	}
	return written.String()
}

func (d *database) do(ctx context.Context, statement string, args ...any) error {
	_, err := d.ExecContext(ctx, d.sql(statement), args...)
	return err
}

// upsert inserts a row, or updates the one with the same value in the first column, which is unique.
func (d *database) upsert(ctx context.Context, table string, columns []string, values ...any) error {
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	statement := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ", "), marks)
	updates := make([]string, 0, len(columns)-1)
	for _, column := range columns[1:] {
		if d.postgres {
			updates = append(updates, fmt.Sprintf("%s = excluded.%s", column, column))
		} else {
			updates = append(updates, fmt.Sprintf("%s = VALUES(%s)", column, column))
		}
	}
	if d.postgres {
		statement += fmt.Sprintf(" ON CONFLICT (%s) DO UPDATE SET ", columns[0])
	} else {
		statement += " ON DUPLICATE KEY UPDATE "
	}
	return d.do(ctx, statement+strings.Join(updates, ", "), values...)
}

// settings reads cloud_settings; before the first migration there are none.
func (d *database) settings(ctx context.Context) map[string]string {
	found := map[string]string{}
	rows, err := d.QueryContext(ctx, "SELECT name, value FROM cloud_settings")
	if err != nil {
		return found
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var value sql.NullString
		if rows.Scan(&name, &value) == nil {
			found[name] = value.String
		}
	}
	return found
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/bcrypt"
)

// laboratoryCode is the key of the one laboratory that the administrator's commands write.
const laboratoryCode = "main"

// base is the standard input of cloud:base.
type base struct {
	Laboratory       string  `json:"name"`
	Surname          string  `json:"admin_f"`
	Name             string  `json:"admin_i"`
	Patronymic       string  `json:"admin_o"`
	Login            string  `json:"admin_login"`
	Password         string  `json:"password"`
	Email            string  `json:"email"`
	LicenseExpiresAt *string `json:"license_expires_at"`
	// RenameFrom is the administrator's former login; RenameBackFrom takes such a renaming back, if there was one.
	RenameFrom     string `json:"rename_from"`
	RenameBackFrom string `json:"rename_back_from"`
}

// credentials is the standard input of cloud:password.
type credentials struct {
	Login    string `json:"admin_login"`
	Password string `json:"password"`
}

// writeBase creates the laboratory and its administrator, or brings them up to date.
func writeBase(ctx context.Context, a *app) error {
	var input base
	if err := readInput(a.in, &input); err != nil {
		return err
	}
	if input.Laboratory == "" || input.Login == "" {
		return errors.New("name and admin_login are needed")
	}
	return a.withDatabase(func(db *database) error {
		if err := rename(ctx, db, input); err != nil {
			return err
		}
		hash, err := passwordOf(ctx, db, input)
		if err != nil {
			return err
		}
		if err := db.upsert(ctx, "laboratories", []string{"code", "name"}, laboratoryCode, input.Laboratory); err != nil {
			return err
		}
		if err := db.upsert(ctx, "users", []string{"login", "password", "surname", "name", "patronymic", "email"},
			input.Login, hash, input.Surname, input.Name, input.Patronymic, input.Email); err != nil {
			return err
		}
		if input.LicenseExpiresAt != nil {
			if err := writeSetting(ctx, db, "license_expires_at", *input.LicenseExpiresAt); err != nil {
				return err
			}
		}
		a.say("base data written")
		return nil
	})
}

// rename gives the administrator another login; run again it finds nothing to do.
func rename(ctx context.Context, db *database, input base) error {
	from := input.RenameFrom + input.RenameBackFrom
	if from == "" {
		return nil
	}
	var former, present int
	count := db.sql("SELECT COUNT(CASE WHEN login = ? THEN 1 END), COUNT(CASE WHEN login = ? THEN 1 END) FROM users")
	if err := db.QueryRowContext(ctx, count, from, input.Login).Scan(&former, &present); err != nil {
		return err
	}
	if former == 1 && present == 1 && input.RenameBackFrom == "" {
		return fmt.Errorf("the login %s is taken by another user", input.Login)
	}
	if former == 0 || present == 1 {
		return nil
	}
	return db.do(ctx, "UPDATE users SET login = ? WHERE login = ?", input.Login, from)
}

// passwordOf answers the hash to store: without a password the administrator keeps the one that he has.
func passwordOf(ctx context.Context, db *database, input base) (hash string, err error) {
	if input.Password != "" {
		return hashPassword(input.Password)
	}
	err = db.QueryRowContext(ctx, db.sql("SELECT password FROM users WHERE login = ?"), input.Login).Scan(&hash)
	if err != nil {
		return "", fmt.Errorf("a new administrator needs a password: %w", err)
	}
	return hash, nil
}

func setPassword(ctx context.Context, a *app) error {
	var input credentials
	if err := readInput(a.in, &input); err != nil {
		return err
	}
	if input.Password == "" {
		return errors.New("password is needed")
	}
	return a.withDatabase(func(db *database) error {
		hash, err := hashPassword(input.Password)
		if err != nil {
			return err
		}
		var id int64
		if err := db.QueryRowContext(ctx, db.sql("SELECT id FROM users WHERE login = ?"), input.Login).Scan(&id); err != nil {
			return fmt.Errorf("user not found: %w", err)
		}
		if err := db.do(ctx, "UPDATE users SET password = ? WHERE id = ?", hash, id); err != nil {
			return err
		}
		a.say("password set")
		return nil
	})
}

// countUsers prints the number alone; demo users do not count.
func countUsers(ctx context.Context, a *app) error {
	return a.withDatabase(func(db *database) error {
		var count int
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM users WHERE demo = 0").Scan(&count); err != nil {
			return err
		}
		a.say("%d", count)
		return nil
	})
}

func setMaintenance(ctx context.Context, a *app, on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	return a.withDatabase(func(db *database) error { return writeSetting(ctx, db, "maintenance", value) })
}

// seed writes the catalogue that every laboratory starts with.
func seed(ctx context.Context, a *app) error {
	return a.withDatabase(func(db *database) error {
		for code, title := range map[string]string{"GLU": "Glucose", "HGB": "Haemoglobin", "CRP": "C-reactive protein"} {
			if err := db.upsert(ctx, "analyses", []string{"code", "title", "demo"}, code, title, 0); err != nil {
				return err
			}
		}
		a.say("seeded")
		return nil
	})
}

const demoRows = 10

func enableDemo(ctx context.Context, a *app) error {
	return a.withDatabase(func(db *database) error {
		// no one logs in as a demo user: this is no hash of anything
		const noPassword = "!"
		for i := 1; i <= demoRows; i++ {
			login := fmt.Sprintf("demo%d", i)
			if err := db.upsert(ctx, "users", []string{"login", "password", "surname", "demo"}, login, noPassword, "Demo", 1); err != nil {
				return err
			}
			if err := db.upsert(ctx, "analyses", []string{"code", "title", "demo"}, fmt.Sprintf("DEMO%d", i), "Demo", 1); err != nil {
				return err
			}
		}
		a.say("demo data enabled")
		return nil
	})
}

func disableDemo(ctx context.Context, a *app) error {
	return a.withDatabase(func(db *database) error {
		for _, table := range []string{"users", "analyses"} {
			if err := db.do(ctx, "DELETE FROM "+table+" WHERE demo = 1"); err != nil {
				return err
			}
		}
		a.say("demo data disabled")
		return nil
	})
}

// sanitize makes a copy harmless: no real addresses, no texts of people, no keys that send anything.
func sanitize(ctx context.Context, a *app) error {
	return a.withDatabase(func(db *database) error {
		for _, statement := range []string{
			"UPDATE users SET email = CONCAT('user', id, '@example.invalid'), surname = 'User', name = '', patronymic = ''",
			"UPDATE notes SET body = CONCAT('note ', id)",
			"UPDATE cloud_settings SET value = '' WHERE name IN ('mail_key', 'sms_key')",
		} {
			if err := db.do(ctx, statement); err != nil {
				return err
			}
		}
		a.say("sanitized")
		return nil
	})
}

func (a *app) withDatabase(body func(*database) error) error {
	db, err := a.database()
	if err != nil {
		return err
	}
	defer db.Close()
	return body(db)
}

func writeSetting(ctx context.Context, db *database, name, value string) error {
	return db.upsert(ctx, "cloud_settings", []string{"name", "value"}, name, value)
}

// hashPassword is bcrypt, whose input ends at 72 bytes: a longer password is refused, never cut.
func hashPassword(password string) (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	return string(hash), err
}

func readInput(in io.Reader, into any) error {
	// 1 MiB is far above any name or password
	if err := json.NewDecoder(io.LimitReader(in, 1<<20)).Decode(into); err != nil {
		return fmt.Errorf("standard input is not the JSON that was expected: %w", err)
	}
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// server answers visitors; it starts without a database and says so until there is one.
type server struct {
	*app
	db *database
}

func serve(ctx context.Context, a *app) error {
	db, err := a.database()
	if err != nil {
		return err
	}
	defer db.Close()
	a.leaveFile()
	s := &server{app: a, db: db}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /notes", s.listNotes)
	mux.HandleFunc("POST /notes", s.guarded(s.addNote))
	mux.HandleFunc("GET /headers", s.headers)
	mux.HandleFunc("GET /{$}", s.guarded(s.home))
	web := &http.Server{Addr: ":" + a.env.get("APP_PORT", "8000"), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		// Docker gives 10 s by default before it kills
		patience, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = web.Shutdown(patience)
	}()
	a.say("version %s listens on %s", a.version, web.Addr)
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// leaveFile puts a file into the mounted directory that only the container's user may change, as real products do.
func (a *app) leaveFile() {
	directory := filepath.Join(a.root, "public", "uploads")
	if os.MkdirAll(directory, 0o700) == nil {
		_ = os.WriteFile(filepath.Join(directory, "started.txt"), []byte(a.version+"\n"), 0o600)
	}
}

func (s *server) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	var one int
	if err := s.db.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil || s.fails("health") {
		answer(w, http.StatusServiceUnavailable, map[string]string{"status": "the database does not answer", "version": s.version})
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok", "version": s.version})
}

// guarded shows the maintenance page and the end of the licence instead of the product.
func (s *server) guarded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		settings := s.db.settings(r.Context())
		switch {
		case settings["maintenance"] == "1":
			page(w, http.StatusServiceUnavailable, "Maintenance", "Maintenance in progress.")
		case expired(settings["license_expires_at"]):
			page(w, http.StatusForbidden, "Licence expired", "The licence has expired.")
		default:
			next(w, r)
		}
	}
}

func expired(when string) bool {
	moment, err := time.Parse(time.RFC3339, when)
	return err == nil && time.Now().After(moment)
}

func (s *server) home(w http.ResponseWriter, r *http.Request) {
	var laboratory string
	err := s.db.QueryRowContext(r.Context(), s.db.sql("SELECT name FROM laboratories WHERE code = ?"), laboratoryCode).Scan(&laboratory)
	if err != nil {
		page(w, http.StatusServiceUnavailable, "Not installed", "There is no laboratory yet.")
		return
	}
	// a version that serves before its migrations have run must be seen by tests
	waiting, _, err := pendingMigrations(r.Context(), s.app, s.db)
	if err != nil || len(waiting) > 0 {
		page(w, http.StatusOK, laboratory, fmt.Sprintf("Version %s with %d migrations to run", s.version, len(waiting)))
		return
	}
	page(w, http.StatusOK, laboratory, "Version "+s.version)
}

func (s *server) addNote(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		answer(w, http.StatusRequestEntityTooLarge, map[string]string{"error": "a note is at most 64 KiB"})
		return
	}
	id, err := s.insertNote(r.Context(), string(body))
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	answer(w, http.StatusCreated, map[string]int64{"id": id})
}

func (s *server) insertNote(ctx context.Context, body string) (id int64, err error) {
	err = s.db.QueryRowContext(ctx, s.db.sql("INSERT INTO notes (body) VALUES (?) RETURNING id"), body).Scan(&id)
	return id, err
}

type note struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
}

// listNotes answers up to 1000 notes behind ?after=<id>, oldest first, and how many there are in all.
func (s *server) listNotes(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	var count int64
	if err := s.db.QueryRowContext(r.Context(), "SELECT COUNT(*) FROM notes").Scan(&count); err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	rows, err := s.db.QueryContext(r.Context(), s.db.sql("SELECT id, body FROM notes WHERE id > ? ORDER BY id LIMIT 1000"), after)
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	defer rows.Close()
	notes := []note{}
	for rows.Next() {
		var next note
		if err := rows.Scan(&next.ID, &next.Body); err != nil {
			answer(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
			return
		}
		notes = append(notes, next)
	}
	answer(w, http.StatusOK, map[string]any{"count": count, "notes": notes})
}

// headers answers what the proxy in front sent, for tests of the virtual host.
func (s *server) headers(w http.ResponseWriter, r *http.Request) {
	seen := map[string]string{"Host": r.Host}
	for name := range r.Header {
		seen[name] = r.Header.Get(name)
	}
	answer(w, http.StatusOK, seen)
}

func page(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html><title>%s</title><h1>%s</h1><p>%s</p>\n", html.EscapeString(title), html.EscapeString(title), html.EscapeString(text))
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// askHealth is the container's own health check: the image has no other client.
func askHealth(ctx context.Context, a *app) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+a.env.get("APP_PORT", "8000")+"/health", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/health answers %d", response.StatusCode)
	}
	return nil
}

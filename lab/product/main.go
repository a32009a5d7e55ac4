// Command artisan is the lab's product: a small web application with the commands that Slipway's product profile
// calls. It keeps its data in the client's own database and reads its configuration from .env, as Laravel does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// app is what every command works with.
type app struct {
	// root holds .env, VERSION and public.
	root    string
	version string
	env     environment
	in      io.Reader
	out     io.Writer
}

type command func(ctx context.Context, a *app) error

var commands = map[string]command{
	"serve":          serve,
	"health":         askHealth,
	"migrate":        migrate,
	"db:seed":        seed,
	"demo:enable":    enableDemo,
	"demo:disable":   disableDemo,
	"cloud:base":     writeBase,
	"cloud:password": setPassword,
	"cloud:users":    countUsers,
	"cloud:sanitize": sanitize,
	"env:show":       showEnvironment,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "artisan:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	name, err := commandName(args)
	if err != nil {
		return err
	}
	a, err := open()
	if err != nil {
		return err
	}
	if name == "maintenance on" || name == "maintenance off" {
		return setMaintenance(ctx, a, strings.HasSuffix(name, "on"))
	}
	act, known := commands[name]
	if !known {
		return fmt.Errorf("there is no command %q", name)
	}
	if a.fails(name) && name != "migrate" && name != "health" {
		return fmt.Errorf("%s fails because SAMPLE_FAIL says so", name)
	}
	return act(ctx, a)
}

// commandName joins the words of a command; options such as --force are accepted and mean nothing here.
func commandName(args []string) (string, error) {
	var words []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, "--") {
			words = append(words, arg)
		}
	}
	if len(words) == 0 {
		return "", errors.New("name a command")
	}
	return strings.Join(words, " "), nil
}

func open() (*app, error) {
	root := os.Getenv("SAMPLE_ROOT")
	if root == "" {
		root = "/app"
	}
	env, err := readEnvironment(filepath.Join(root, ".env"))
	if err != nil {
		return nil, err
	}
	version, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return nil, err
	}
	return &app{root: root, version: strings.TrimSpace(string(version)), env: env, in: os.Stdin, out: os.Stdout}, nil
}

// fails tells whether a test asked for the failure of a command: SAMPLE_FAIL=migrate,health
func (a *app) fails(name string) bool {
	for _, wanted := range strings.Split(a.env.get("SAMPLE_FAIL", ""), ",") {
		if strings.TrimSpace(wanted) == name {
			return true
		}
	}
	return false
}

// showEnvironment prints what was read from .env, for tests of those who write it.
func showEnvironment(_ context.Context, a *app) error {
	return json.NewEncoder(a.out).Encode(a.env)
}

func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.out, format+"\n", args...)
}

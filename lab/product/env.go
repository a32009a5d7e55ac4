package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// environment holds the settings of .env; variables of the process win, as with PHP dotenv.
type environment map[string]string

func readEnvironment(path string) (environment, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return environment{}, nil
	}
	if err != nil {
		return nil, err
	}
	env, err := parseEnvironment(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return env, nil
}

func (e environment) get(key, fallback string) string {
	if value, set := os.LookupEnv(key); set {
		return value
	}
	if value, set := e[key]; set {
		return value
	}
	return fallback
}

var (
	entryHead = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([A-Za-z0-9_.]+)[ \t]*=[ \t]*`)
	reference = regexp.MustCompile(`^\$\{([A-Za-z0-9_.]+)\}`)
)

// parseEnvironment follows the rules of PHP dotenv 5: the first of two equal keys wins, ${NAME} is put in outside
// single quotes, a double-quoted value may span lines and knows \\ \" \$ \f \n \r \t \v, # begins a comment.
func parseEnvironment(text string) (environment, error) {
	env := environment{}
	rest := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	for number := 1; rest != ""; {
		line, _, _ := strings.Cut(rest, "\n")
		head := entryHead.FindStringSubmatch(line)
		if head == nil {
			if trimmed := strings.TrimSpace(line); trimmed != "" && !strings.HasPrefix(trimmed, "#") && strings.Contains(trimmed, "=") {
				return nil, fmt.Errorf("line %d has an invalid name", number)
			}
			rest, number = strings.TrimPrefix(rest[len(line):], "\n"), number+1
			continue
		}
		value, used, err := parseValue(env, rest[len(head[0]):])
		if err != nil {
			return nil, fmt.Errorf("%s on line %d: %w", head[1], number, err)
		}
		if _, set := env[head[1]]; !set {
			env[head[1]] = value
		}
		used += len(head[0])
		number += strings.Count(rest[:used], "\n") + 1
		rest = strings.TrimPrefix(rest[used:], "\n")
	}
	return env, nil
}

// parseValue reads one value and whatever follows it on its line; used does not count the line's end.
func parseValue(env environment, text string) (value string, used int, err error) {
	switch {
	case strings.HasPrefix(text, `"`):
		value, used, err = parseDoubleQuoted(env, text)
	case strings.HasPrefix(text, "'"):
		line, _, _ := strings.Cut(text, "\n")
		end := strings.Index(line[1:], "'")
		if end < 0 {
			return "", 0, errors.New("a missing closing quote")
		}
		value, used = line[1:1+end], end+2
	default:
		line, _, _ := strings.Cut(text, "\n")
		word := line
		if end := strings.IndexAny(line, "# \t\v\f"); end >= 0 {
			word = line[:end]
		}
		value, used = expandAll(env, word), len(word)
	}
	if err != nil {
		return "", 0, err
	}
	tail, _, _ := strings.Cut(text[used:], "\n")
	if trimmed := strings.TrimSpace(tail); trimmed != "" && !strings.HasPrefix(trimmed, "#") {
		return "", 0, errors.New("unexpected whitespace")
	}
	return value, used + len(tail), nil
}

var escapes = map[byte]byte{'\\': '\\', '"': '"', '$': '$', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

func parseDoubleQuoted(env environment, text string) (string, int, error) {
	var value strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return value.String(), i + 1, nil
		case '\\':
			i++
			if i == len(text) {
				return "", 0, errors.New("a missing closing quote")
			}
			escaped, known := escapes[text[i]]
			if !known {
				return "", 0, errors.New("an unexpected escape sequence")
			}
			value.WriteByte(escaped)
		case '$':
			found, length := expand(env, text[i:])
			value.WriteString(found)
			i += length - 1
		default:
			value.WriteByte(text[i])
		}
	}
	return "", 0, errors.New("a missing closing quote")
}

func expandAll(env environment, word string) string {
	var value strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '$' {
			value.WriteByte(word[i])
			continue
		}
		found, length := expand(env, word[i:])
		value.WriteString(found)
		i += length - 1
	}
	return value.String()
}

// expand answers what stands for the $ at the start of text, and how long the reference is.
func expand(env environment, text string) (string, int) {
	match := reference.FindStringSubmatch(text)
	if match == nil {
		return "$", 1
	}
	if value := env.get(match[1], "\x00"); value != "\x00" {
		return value, len(match[0])
	}
	return match[0], len(match[0])
}

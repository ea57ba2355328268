package server

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"

	"deepprune/server/openai"
)

// Key is an API key and the name by which logs, limits and metrics know it.
type Key struct {
	Name   string
	Secret string
}

// Bounds of a keys file.
const (
	minSecret   = 16
	maxSecret   = 512
	maxKeys     = 10_000
	maxKeysLine = 1024
)

var keyName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ReadKeys reads keys, one per line: a name, white space, the key. Empty lines and
// those that begin with # are comments. Errors name the line and never hold a key.
func ReadKeys(r io.Reader) ([]Key, error) {
	var keys []Key
	names, secrets := make(map[string]int), make(map[string]int)
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxKeysLine), maxKeysLine)
	n := 0
	for lines.Scan() {
		n++
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("line %d: %d words; want a name and a key", n, len(fields))
		}
		k := Key{Name: fields[0], Secret: fields[1]}
		if err := k.check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if first, ok := names[k.Name]; ok {
			return nil, fmt.Errorf("line %d: the name %s is on line %d too", n, k.Name, first)
		}
		if first, ok := secrets[k.Secret]; ok {
			return nil, fmt.Errorf("line %d: the key of %s is on line %d too", n, k.Name, first)
		}
		names[k.Name], secrets[k.Secret] = n, n
		if keys = append(keys, k); len(keys) > maxKeys {
			return nil, fmt.Errorf("line %d: more than %d keys", n, maxKeys)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no key in %d lines", n)
	}
	return keys, nil
}

func (k *Key) check() error {
	if !keyName.MatchString(k.Name) {
		return fmt.Errorf("the name is not 1 to 64 letters, digits, dots, dashes and underscores")
	}
	if n := len(k.Secret); n < minSecret || n > maxSecret {
		return fmt.Errorf("the key of %s has %d characters; want %d to %d", k.Name, n, minSecret, maxSecret)
	}
	for _, c := range []byte(k.Secret) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("the key of %s has characters other than printable ASCII", k.Name)
		}
	}
	return nil
}

// Keys are the API keys that a server takes at the moment. Its methods may be
// called from any goroutine. The zero value takes none.
type Keys struct {
	table atomic.Pointer[[]hashedKey]
}

// hashedKey is a key of which all are equally long, whatever was chosen.
type hashedKey struct {
	name string
	hash [sha256.Size]byte
}

// NewKeys makes a set of keys.
func NewKeys(keys []Key) *Keys {
	k := new(Keys)
	k.Replace(keys)
	return k
}

// Replace makes the set these keys alone, from the next request on.
func (k *Keys) Replace(keys []Key) {
	table := make([]hashedKey, len(keys))
	for i, key := range keys {
		table[i] = hashedKey{key.Name, sha256.Sum256([]byte(key.Secret))}
	}
	k.table.Store(&table)
}

// name finds whose secret this is. Its time depends on the number of keys alone.
func (k *Keys) name(secret string) (name string, ok bool) {
	table := k.table.Load()
	if table == nil {
		return "", false
	}
	hash := sha256.Sum256([]byte(secret))
	found := -1
	for i := range *table {
		equal := subtle.ConstantTimeCompare(hash[:], (*table)[i].hash[:])
		found = subtle.ConstantTimeSelect(equal, i, found)
	}
	if found < 0 {
		return "", false
	}
	return (*table)[found].name, true
}

// checkKey finds the name of the key that a request brings, "" if none is wanted.
func (s *Server) checkKey(x *exchange, r *http.Request) (name string, err *openai.Error) {
	if s.opt.Keys == nil {
		return "", nil
	}
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		if name, ok := s.opt.Keys.name(strings.TrimSpace(secret)); ok {
			return name, nil
		}
	}
	x.Header().Set("WWW-Authenticate", `Bearer realm="deepprune"`)
	message := "The API key is not one of this server's."
	if secret == "" {
		message = "This server wants an API key, as Authorization: Bearer KEY."
	}
	return "", &openai.Error{Status: http.StatusUnauthorized, Type: "invalid_request_error", Code: "invalid_api_key", Message: message}
}

// SPDX-License-Identifier: Apache-2.0

// Package redact removes secrets from the text of configuration files: passwords, tokens,
// private and pre-shared keys, and credentials in URLs. It keeps everything else, and the
// form of the text: a file that parsed still parses. Addresses and names stay.
//
// A secret is recognized by its key (password, token, PrivateKey and the like), whatever
// the format, and by its form (Bearer TOKEN, a JSON web token, a PEM block of a private key, user
// and password in a URL). In doubt a value is removed.
package redact

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Mark is what takes the place of a secret.
const Mark = "REDACTED"

// Text returns a text without secrets, and how many were removed.
func (r *Redactor) Text(text []byte) ([]byte, int) {
	before := r.n
	if isJSON(text) {
		text = r.json(text)
	} else {
		text = r.lines(string(text))
	}
	return text, r.n - before
}

// Value returns the value of a setting without secrets: none of it if the name of the
// setting is that of a secret.
func (r *Redactor) Value(key, value string) string {
	if r.isSecret(key) && value != "" {
		r.n++
		return Mark
	}
	return r.inline(value)
}

func isJSON(text []byte) bool {
	trimmed := bytes.TrimSpace(text)
	return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(trimmed)
}

// A Redactor removes secrets. It may not be used concurrently.
type Redactor struct {
	n       int // secrets removed
	forms   []form
	setting *regexp.Regexp // a line with one setting
	pair    *regexp.Regexp // one setting among others
	block   *regexp.Regexp // the value of YAML that announces lines of text
	flag    *regexp.Regexp // of a command line
}

// A form is a secret that is known by its look.
type form struct {
	pattern *regexp.Regexp
	keep    string // what is left of it, as for regexp.Expand
}

// New returns a Redactor.
func New() *Redactor {
	of := func(pattern, keep string) form { return form{regexp.MustCompile(pattern), keep} }
	return &Redactor{
		forms: []form{
			of(`(?s)-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`, "-----BEGIN ${1}PRIVATE KEY----- "+Mark),
			of(`\bLS0tLS1CRUdJTi[A-Za-z0-9+/_=-]+`, Mark), // a PEM block in base64
			of(`(?i)(authorization["']?\s*[:=]\s*["']?)([A-Za-z]+\s+)?[^\s"',]+`, "${1}"+Mark),
			of(`(?i)\b(bearer)(\s+|%20)[A-Za-z0-9._~+/=-]{6,}`, "${1}${2}"+Mark),
			of(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*`, Mark),
			of(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s"'<>\\]*@`, "${1}"+Mark+"@"),
			of(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`, Mark),
			of(`\bgh[pousr]_[A-Za-z0-9]{20,}`, Mark),
			of(`(^|[^A-Za-z0-9+/])[A-Za-z0-9+/]{43}=($|[^A-Za-z0-9+/=])`, "${1}"+Mark+"${2}"), // 32 bytes in base64: a WireGuard key
			of(`(^|[^a-z0-9.-])[a-z0-9]{6}\.[a-z0-9]{16}($|[^a-z0-9.-])`, "${1}"+Mark+"${2}"), // a bootstrap token
		},
		setting: regexp.MustCompile(`^(\s*(?:-\s+)?(?:export\s+)?["']?)([A-Za-z_][A-Za-z0-9_.\- /]*?)(["']?\s*[:=]\s*)(.*?)(\r?)$`),
		pair:    regexp.MustCompile(`(["']?)([A-Za-z_][A-Za-z0-9_.-]*)(["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;}\]&]+)`),
		block:   regexp.MustCompile(`^[|>][+-]?[0-9]?[+-]?\s*(#.*)?$`),
		flag:    regexp.MustCompile(`(--?)([A-Za-z][A-Za-z0-9-]*)([= ]|\x00)("[^"]*"|'[^']*'|[^\s\x00]+)`),
	}
}

// isSecret reports whether a key is that of a secret.
func (r *Redactor) isSecret(key string) bool {
	word := strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, key)
	if slices.Contains(exactKeys(), word) {
		return true
	}
	for _, harmless := range harmlessEnds() {
		if strings.HasSuffix(word, harmless) {
			return false
		}
	}
	if strings.HasSuffix(word, "key") { // etcd_key, tls.key
		return true
	}
	return slices.ContainsFunc(partsOfKeys(), func(part string) bool { return strings.Contains(word, part) })
}

// exactKeys are keys of secrets, without what is no letter or digit.
func exactKeys() []string {
	return []string{"auth", "auths", "bearer", "key", "pass", "pin", "psk", "pwd", "cak", "user:pass", "wepkey0", "wepkey1", "wepkey2", "wepkey3"}
}

// partsOfKeys are parts of the keys of secrets.
func partsOfKeys() []string {
	return []string{
		"accesskey", "apikey", "authkey", "authorization", "clientcertificatedata", "clientkey", "credential", "encryptionkey",
		"fastopenkey", "identitytoken", "keydata", "mysecret", "passphrase", "passwd", "password", "presharedkey", "privatekey",
		"secret", "sessionkey", "sharedkey", "signingkey", "stablesecret", "token", "wepkey", "privkey",
	}
}

// harmlessEnds are the ends of keys that say where a secret is, or of which kind.
func harmlessEnds() []string {
	return []string{"file", "path", "dir", "type", "name", "ttl", "expiry", "flags", "publickey", "pubkey"}
}

// inline removes secrets that are known by their look.
func (r *Redactor) inline(text string) string {
	for _, f := range slices.Concat(r.forms, r.forms) { // again, because two may share the character between them
		text = f.pattern.ReplaceAllStringFunc(text, func(found string) string {
			kept := f.pattern.ReplaceAllString(found, f.keep)
			if kept != found {
				r.n++
			}
			return kept
		})
	}
	return text
}

// flags removes the values of secret flags of a command line.
func (r *Redactor) flags(text string) string {
	return r.flag.ReplaceAllStringFunc(text, func(found string) string {
		m := r.flag.FindStringSubmatch(found)
		if !r.isSecret(m[2]) || strings.HasPrefix(m[4], "-") && m[3] != "=" {
			return found
		}
		r.n++
		return m[1] + m[2] + m[3] + Mark
	})
}

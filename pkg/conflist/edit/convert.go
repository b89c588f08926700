// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// FromConf converts a file with a single plugin (.conf, .json) into a list with the same
// network and version. The list contains the bytes of the file, including the plugin's
// name and version: runtimes overwrite those with the list's, which are equal.
func FromConf(doc []byte) ([]byte, error) {
	conf, err := conflist.Parse("x.conf", doc)
	if err != nil {
		return nil, fmt.Errorf("make list of plugin: %w", err)
	}
	if conf.Name == "" {
		return nil, errors.New(`make list of plugin: it has no network name, which a list needs: add "name" (CRI-O uses the file name instead)`)
	}
	return checked(wrap(conf, doc))
}

// ToConf undoes FromConf byte for byte. It returns an error for any other list: first
// remove the guard, and whatever else was added.
func ToConf(doc []byte) ([]byte, error) {
	l, err := parseLayout(doc)
	if err != nil {
		return nil, fmt.Errorf("make plugin of list: %w", err)
	}
	end := bytes.LastIndexByte(doc, ']')
	inner := bytes.Clone(doc[l.open:end])
	if conf, err := conflist.Parse("x.conf", inner); len(l.entries) != 1 || err != nil || !bytes.Equal(wrap(conf, inner), doc) {
		return nil, errors.New("make plugin of list: it was not converted from a single plugin, or was changed since: keep it as a list")
	}
	return inner, nil
}

// wrap returns a list with one plugin, on several lines if the plugin has several.
func wrap(conf conflist.List, doc []byte) []byte {
	newline, indent, colon := "", "", ":"
	if bytes.Contains(doc, []byte("\n")) {
		newline, indent, colon = "\n", "  ", ": "
	}
	if bytes.Contains(doc, []byte("\r\n")) {
		newline = "\r\n"
	}
	var b bytes.Buffer
	member := func(key, value string) { fmt.Fprintf(&b, "%s%q%s%s,%s", indent, key, colon, quote(value), newline) }
	b.WriteString("{" + newline)
	member("name", conf.Name)
	if conf.CNIVersion != "" {
		member("cniVersion", conf.CNIVersion)
	}
	fmt.Fprintf(&b, "%s\"plugins\"%s[%s]%s}%s", indent, colon, doc, newline, newline)
	return b.Bytes()
}

func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string cannot fail
	return string(bytes.TrimSpace(b.Bytes()))
}

// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// FromConf makes a conflist of a file that holds a single plugin (.conf, .json):
// of the same network and the same version. The plugin's own bytes stand in the
// list as they were in the file, its name and version among them: runtimes
// overwrite those with the list's, which are the same.
func FromConf(doc []byte) ([]byte, error) {
	conf, err := conflist.Parse("x.conf", doc)
	if err != nil {
		return nil, fmt.Errorf("make list of plugin: %w", err)
	}
	if conf.Name == "" {
		return nil, errors.New(`make list of plugin: it names no network, and a list must: add "name" (CRI-O knows the network by the name of the file)`)
	}
	return made(wrap(conf, doc))
}

// ToConf is the way back: the bytes that FromConf was given. A list that FromConf
// did not make is an error, which leaves nothing lost: take the guard out first,
// by Remove, and what else was added.
func ToConf(doc []byte) ([]byte, error) {
	l, err := lay(doc)
	if err != nil {
		return nil, fmt.Errorf("make plugin of list: %w", err)
	}
	end := bytes.LastIndexByte(doc, ']')
	inner := bytes.Clone(doc[l.open:end])
	if conf, err := conflist.Parse("x.conf", inner); len(l.entries) != 1 || err != nil || !bytes.Equal(wrap(conf, inner), doc) {
		return nil, errors.New("make plugin of list: it is no list that was made of one plugin, or was changed since: keep it as a list")
	}
	return inner, nil
}

// wrap puts a plugin into a list, on lines of their own if it has several.
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
	_ = e.Encode(s) // a string
	return string(bytes.TrimSpace(b.Bytes()))
}

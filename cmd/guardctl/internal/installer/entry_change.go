// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
)

// entryFrom gives the guard's entry where there may be one: as the operator left
// it, but for what the command says. The same bytes come back where that is so.
func (r Request) entryFrom(kept json.RawMessage) ([]byte, error) {
	if kept == nil {
		return r.entry()
	}
	entry := []byte(kept)
	if now := gjson.GetBytes(kept, "mode").String(); r.Mode != "" && r.Mode != now && !(r.Mode == "enforce" && now == "") {
		entry = setKey(entry, "mode", []byte(`"`+r.Mode+`"`))
	}
	return r.allowed(entry)
}

// allowed adds the patterns that the entry does not allow yet.
func (r Request) allowed(entry []byte) ([]byte, error) {
	if len(r.Allow) == 0 {
		return entry, nil
	}
	var keys struct {
		Checks map[string]json.RawMessage `json:"checks"`
	}
	options := map[string]json.RawMessage{}
	var allow []string
	err := json.Unmarshal(entry, &keys)
	if err == nil && keys.Checks["conflist"] != nil {
		err = json.Unmarshal(keys.Checks["conflist"], &options)
	}
	if err == nil && options["allow"] != nil {
		err = json.Unmarshal(options["allow"], &allow)
	}
	if err != nil {
		return nil, fmt.Errorf("add to what the guard allows: %w: do it by hand, in checks.conflist.allow of its entry", err)
	}
	fresh := slices.DeleteFunc(slices.Clone(r.Allow), func(p string) bool { return slices.Contains(allow, p) })
	if len(fresh) == 0 {
		return entry, nil
	}
	if keys.Checks == nil {
		keys.Checks = map[string]json.RawMessage{}
	}
	if options["allow"], err = json.Marshal(append(allow, fresh...)); err != nil {
		return nil, err
	}
	if keys.Checks["conflist"], err = json.Marshal(options); err != nil {
		return nil, err
	}
	checks, err := json.Marshal(keys.Checks)
	return setKey(entry, "checks", checks), err
}

// setKey gives an object with another value of a key. All other bytes stay.
func setKey(object []byte, key string, value []byte) []byte {
	if old := gjson.GetBytes(object, key); old.Exists() && old.Index > 0 {
		return slices.Concat(object[:old.Index], value, object[old.Index+len(old.Raw):])
	}
	end := bytes.LastIndexByte(object, '}')
	body := bytes.TrimRight(object[:end], " \t\r\n")
	return slices.Concat(body, []byte(`,"`+key+`":`), value, object[len(body):])
}

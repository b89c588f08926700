// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

// Parse parses the content of a file of that name as Read does, but without drop-ins:
// a list without plugins of its own is valid.
func Parse(name string, doc []byte) (List, error) { return parser{}.parse(doc, isList(name)) }

// A parser parses as libcni v1.3.1 does.
type parser struct {
	// libcni112 selects the rules of libcni v1.1.2: no cniVersions, no drop-ins, and
	// plugins are mandatory.
	libcni112 bool
}

func (p parser) parse(doc []byte, list bool) (List, error) {
	if list {
		return p.parseList(doc)
	}
	return p.parseSingle(doc)
}

// parseList is libcni's NetworkConfFromBytes. The keys of a list are case sensitive;
// of duplicate keys the last counts.
func (p parser) parseList(doc []byte) (l List, err error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(doc, &top); err != nil {
		return l, explainJSON(doc, err)
	}
	if err := checkNumbers(doc); err != nil {
		return l, err
	}
	if _, ok := top["name"]; !ok {
		return l, errors.New("it has no name")
	}
	if l.Name, err = stringKey(top, "name"); err != nil {
		return l, err
	}
	if l.CNIVersion, err = stringKey(top, "cniVersion"); err != nil {
		return l, err
	}
	if p.libcni112 {
		err = checkDisableCheck(top)
	} else {
		err = l.parseFlags(top)
	}
	if err != nil {
		return l, err
	}
	if raw, ok := top["plugins"]; ok {
		err = l.parsePlugins(raw, p)
		return l, err
	}
	if p.libcni112 || l.InlinedOnly {
		return l, errors.New("it has no plugins")
	}
	return l, nil // drop-ins may add some
}

// parsePlugins appends the plugins of the list itself.
func (l *List) parsePlugins(raw json.RawMessage, p parser) error {
	if raw[0] != '[' {
		return fmt.Errorf("plugins is %s, not a list", typeName(raw))
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return fmt.Errorf("parse plugins: %w", err)
	}
	if len(entries) == 0 {
		return errors.New("its list of plugins is empty")
	}
	l.Plugins = make([]Plugin, 0, len(entries)+1) // room for a drop-in
	for i, entry := range entries {
		conf, err := p.parseEntry(entry)
		if err != nil {
			return fmt.Errorf("parse plugin %d of %d: %w", i+1, len(entries), err)
		}
		l.Plugins = append(l.Plugins, Plugin{Type: conf.Type, Raw: entry})
	}
	l.Inlined = len(entries)
	return nil
}

// parseFlags parses the remaining keys of libcni in its order. Two of them have no
// effect here, but can make the file invalid.
func (l *List) parseFlags(top map[string]json.RawMessage) (err error) {
	if l.CNIVersion, err = effectiveVersion(top, l.CNIVersion); err != nil {
		return err
	}
	for _, key := range []string{"disableCheck", "disableGC"} {
		if _, err := boolKey(top, key); err != nil {
			return err
		}
	}
	l.InlinedOnly, err = boolKey(top, "loadOnlyInlinedPlugins")
	return err
}

// checkDisableCheck checks the only flag that libcni v1.1.2 parses.
func checkDisableCheck(top map[string]json.RawMessage) error {
	if raw, ok := top["disableCheck"]; ok && raw[0] != 't' && raw[0] != 'f' {
		return fmt.Errorf("disableCheck is %s, not true or false", typeName(raw))
	}
	return nil
}

// effectiveVersion returns the highest of cniVersions and cniVersion that libcni
// supports. Without cniVersions, or if libcni supports none, it is cniVersion.
func effectiveVersion(top map[string]json.RawMessage, cniVersion string) (string, error) {
	raw, ok := top["cniVersions"]
	if !ok {
		return cniVersion, nil
	}
	versions, err := stringList("cniVersions", raw)
	if err != nil {
		return "", err
	}
	if cniVersion != "" {
		versions = append(versions, cniVersion)
	}
	var supported []string
	for _, v := range versions {
		tooNew, err := version.GreaterThan(v, version.Current())
		if err != nil {
			return "", fmt.Errorf("read cniVersions: %w", err)
		}
		if !tooNew {
			supported = append(supported, v)
		}
	}
	if len(supported) == 0 {
		return cniVersion, nil
	}
	sortVersions(supported)
	return supported[len(supported)-1], nil
}

// sortVersions has the result of slices.SortFunc for up to a dozen versions; there are
// never more. The rest of that function would add 10 kB to the plugin.
func sortVersions(versions []string) {
	for i := range versions {
		for j := i; j > 0 && compareVersions(versions[j], versions[j-1]) < 0; j-- {
			versions[j], versions[j-1] = versions[j-1], versions[j]
		}
	}
}

// compareVersions is libcni's. Of two spellings of one version ("1.0", "1.0.0") each
// is less than the other.
func compareVersions(a, b string) int {
	if a == b {
		return 0
	}
	if greater, _ := version.GreaterThan(a, b); greater {
		return 1
	}
	return -1
}

// parsePlugin is libcni's NetworkPluginConfFromBytes. Keys match in any case, the last
// of several counts, and every key of the struct must have its type.
func (p parser) parsePlugin(doc []byte) (conf types.PluginConf, err error) {
	into := any(&conf)
	if p.libcni112 {
		// Its struct had no such key, and accepted any value.
		into = &struct {
			*types.PluginConf
			ValidAttachments any `json:"cni.dev/valid-attachments"`
		}{PluginConf: &conf}
	}
	if err := json.Unmarshal(doc, into); err != nil {
		return conf, explainJSON(doc, err)
	}
	if conf.Type == "" {
		return conf, errors.New("it has no type, which names the plugin")
	}
	return conf, nil
}

// parseEntry parses an entry of a list. libcni decodes an entry into a map and encodes
// that before it decodes the struct, which drops duplicate keys and sorts those that
// differ only in case. An entry without such keys is decoded as it stands, which takes
// half the time.
func (p parser) parseEntry(raw json.RawMessage) (types.PluginConf, error) {
	if hasDistinctKeys(raw) {
		return p.parsePlugin(raw)
	}
	return p.parseReencoded(raw)
}

func (p parser) parseReencoded(raw json.RawMessage) (conf types.PluginConf, err error) {
	var entry any
	if err := json.Unmarshal(raw, &entry); err != nil {
		return conf, explainJSON(raw, err)
	}
	sorted, err := json.Marshal(entry)
	if err != nil {
		return conf, err
	}
	return p.parsePlugin(sorted)
}

// parseSingle parses a file with a single plugin, as libcni's ConfFromFile and
// ConfListFromConf do.
func (p parser) parseSingle(doc []byte) (List, error) {
	conf, err := p.parsePlugin(doc)
	if err != nil {
		return List{}, explainListInConf(doc, err)
	}
	if err := checkNumbers(doc); err != nil {
		return List{}, err
	}
	entry, err := p.parseEntry(doc)
	if err != nil {
		return List{}, err
	}
	return List{
		Name: conf.Name, CNIVersion: conf.CNIVersion, Single: true,
		Inlined: 1, Plugins: []Plugin{{Type: entry.Type, Raw: doc}},
	}, nil
}

// explainListInConf adds the usual reason why a .conf file has no type: it is a list.
func explainListInConf(doc []byte, err error) error {
	var top map[string]json.RawMessage
	if json.Unmarshal(doc, &top) == nil && top["plugins"] != nil {
		return fmt.Errorf("%w; it has a list of plugins, and the name of such a file must end in .conflist", err)
	}
	return err
}

// stringKey returns the string value of a key, "" if the key is missing.
func stringKey(top map[string]json.RawMessage, key string) (s string, err error) {
	raw, ok := top[key]
	if !ok {
		return "", nil
	}
	if raw[0] != '"' {
		return "", fmt.Errorf("%s is %s, not a string", key, typeName(raw))
	}
	err = json.Unmarshal(raw, &s)
	return s, err
}

// boolKey returns the boolean value of a key, which libcni accepts as a string, too.
func boolKey(top map[string]json.RawMessage, key string) (bool, error) {
	raw, ok := top[key]
	if !ok {
		return false, nil
	}
	value := string(raw)
	if raw[0] == '"' {
		s, err := stringKey(top, key)
		if err != nil {
			return false, err
		}
		value = strings.ToLower(s)
	}
	switch value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%s is %s, not true or false", key, raw)
}

// stringList returns the value of a key that must be a list of strings.
func stringList(key string, raw json.RawMessage) ([]string, error) {
	if raw[0] != '[' {
		return nil, fmt.Errorf("%s is %s, not a list", key, typeName(raw))
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, fmt.Errorf("parse %s: %w", key, err)
	}
	list := make([]string, len(entries), len(entries)+1)
	for i, entry := range entries {
		if entry[0] != '"' {
			return nil, fmt.Errorf("%s has %s, and must have strings only", key, typeName(entry))
		}
		if err := json.Unmarshal(entry, &list[i]); err != nil {
			return nil, fmt.Errorf("parse %s: %w", key, err)
		}
	}
	return list, nil
}

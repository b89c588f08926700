// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containernetworking/cni/pkg/types"
)

// parsePlugin is libcni's NetworkPluginConfFromBytes: the struct takes keys in
// any case, the last counts, and every key it has must be of its type.
func (r rules) parsePlugin(doc []byte) (conf types.PluginConf, err error) {
	into := any(&conf)
	if r.old {
		// Its struct had no such key, and so took anything there.
		into = &struct {
			*types.PluginConf
			ValidAttachments any `json:"cni.dev/valid-attachments"`
		}{PluginConf: &conf}
	}
	if err := json.Unmarshal(doc, into); err != nil {
		return conf, wrong(doc, err)
	}
	if conf.Type == "" {
		return conf, errors.New("it has no type, which names the plugin")
	}
	return conf, nil
}

// parseEntry parses an entry of a list, which libcni reads into a map and writes
// again before it decodes it: of two equal keys the last remains, and keys that
// differ in case only are sorted. Where there are none such the entry is decoded
// as it stands, which takes half as long.
func (r rules) parseEntry(raw json.RawMessage) (types.PluginConf, error) {
	if distinctKeys(raw) {
		return r.parsePlugin(raw)
	}
	return r.parseRewritten(raw)
}

func (r rules) parseRewritten(raw json.RawMessage) (conf types.PluginConf, err error) {
	var entry any
	if err := json.Unmarshal(raw, &entry); err != nil {
		return conf, wrong(raw, err)
	}
	sorted, err := json.Marshal(entry)
	if err != nil {
		return conf, err
	}
	return r.parsePlugin(sorted)
}

// parseSingle parses a file that is no list, as libcni's ConfFromFile and
// ConfListFromConf do.
func (r rules) parseSingle(doc []byte) (List, error) {
	conf, err := r.parsePlugin(doc)
	if err != nil {
		return List{}, looksLikeList(doc, err)
	}
	if err := numbersFit(doc); err != nil {
		return List{}, err
	}
	entry, err := r.parseEntry(doc)
	if err != nil {
		return List{}, err
	}
	return List{
		Name: conf.Name, CNIVersion: conf.CNIVersion, Single: true,
		Inlined: 1, Plugins: []Plugin{{Type: entry.Type, Raw: doc}},
	}, nil
}

// looksLikeList tells the commonest reason why a .conf has no type.
func looksLikeList(doc []byte, err error) error {
	var top map[string]json.RawMessage
	if json.Unmarshal(doc, &top) == nil && top["plugins"] != nil {
		return fmt.Errorf("%w; it has a list of plugins, and the name of such a file must end in .conflist", err)
	}
	return err
}

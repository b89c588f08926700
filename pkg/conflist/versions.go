// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"fmt"

	"github.com/containernetworking/cni/pkg/version"
)

// highest gives the version that counts: where there is cniVersions it is the
// highest of these and cniVersion that libcni knows, cniVersion if it knows none.
func highest(top map[string]json.RawMessage, cniVersion string) (string, error) {
	raw, ok := top["cniVersions"]
	if !ok {
		return cniVersion, nil
	}
	versions, err := texts("cniVersions", raw)
	if err != nil {
		return "", err
	}
	if cniVersion != "" {
		versions = append(versions, cniVersion)
	}
	var known []string
	for _, v := range versions {
		above, err := version.GreaterThan(v, version.Current())
		if err != nil {
			return "", fmt.Errorf("read cniVersions: %w", err)
		}
		if !above {
			known = append(known, v)
		}
	}
	if len(known) == 0 {
		return cniVersion, nil
	}
	sortVersions(known)
	return known[len(known)-1], nil
}

// sortVersions does what slices.SortFunc does with a dozen or less, which is all
// there are; the rest of it would take 10 kB of the plugin.
func sortVersions(versions []string) {
	for i := range versions {
		for j := i; j > 0 && compareVersions(versions[j], versions[j-1]) < 0; j-- {
			versions[j], versions[j-1] = versions[j-1], versions[j]
		}
	}
}

// compareVersions is libcni's: of two spellings of one version ("1.0", "1.0.0")
// each is less than the other.
func compareVersions(a, b string) int {
	if a == b {
		return 0
	}
	if above, _ := version.GreaterThan(a, b); above {
		return 1
	}
	return -1
}

// texts gives a list of strings.
func texts(key string, raw json.RawMessage) ([]string, error) {
	if raw[0] != '[' {
		return nil, fmt.Errorf("%s is %s, not a list", key, kindOf(raw))
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, fmt.Errorf("parse %s: %w", key, err)
	}
	list := make([]string, len(entries), len(entries)+1)
	for i, entry := range entries {
		if entry[0] != '"' {
			return nil, fmt.Errorf("%s has %s, and must have strings only", key, kindOf(entry))
		}
		if err := json.Unmarshal(entry, &list[i]); err != nil {
			return nil, fmt.Errorf("parse %s: %w", key, err)
		}
	}
	return list, nil
}

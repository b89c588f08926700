// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A config is the plugin's entry of the conflist with what the runtime adds.
type config struct {
	CNIVersion string
	Network    string
	PrevResult json.RawMessage // nil where there is none
	Device     bool            // the attachment was given a device by its ID
	Valid      json.RawMessage // GC: the attachments to keep; nil where none were given

	Settings guard.Settings
	Options  checks.Options
	StateDir string        // ledger and events
	CacheDir string        // the runtime's libcni cache; "": where runtimes usually have it
	ConfDir  string        // the runtime's conf dir; "": where guardctl looks by itself
	HoldDown time.Duration // how long a finding stands before STATUS reports it
}

// defaultConfig is what {"type": "cni-guard"} alone means.
func defaultConfig() config {
	return config{
		CNIVersion: "0.1.0", // what a configuration without a version means
		Options:    checks.DefaultOptions(),
		StateDir:   "/run/cni-guard",
		HoldDown:   30 * time.Second,
	}
}

// ownKeys are the keys that an operator may write. To the spec's own keys and
// those that runtimes add we say nothing: commonKeys.
func ownKeys() []string {
	return []string{"mode", "checks", "stateDir", "cacheDir", "confDir", "statusHoldDown"}
}

func commonKeys() []string {
	return []string{
		"cniVersion", "name", "type", "prevResult", "capabilities", "runtimeConfig", "args", "dns",
		// Multus adds these to every plugin of a network that has a device
		// (multus-cni, pkg/types/conf.go, addDeviceIDInConfList).
		"deviceID", "pciBusID",
	}
}

// parseConfig reads the configuration. On an error it still gives what could be
// read, with defaults for the rest, for the verbs that must not fail.
func parseConfig(stdin []byte) (config, *types.Error) {
	c := defaultConfig()
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(stdin, &keys); err != nil {
		return c, types.NewError(types.ErrDecodingFailure, "cni-guard: read configuration: "+err.Error(), "")
	}
	err := c.readKeys(keys)
	if unknown := unknownKey(keys); err == nil && unknown != "" {
		err = fmt.Errorf("key %q is unknown%s", unknown, guard.Suggest(unknown, ownKeys()))
	}
	if err != nil {
		_ = c.mustBeAbsolute() // puts the usual folders back; the first error is the one to tell
		return c, types.NewError(types.ErrInvalidNetworkConfig, "cni-guard: "+err.Error(),
			`Mend the entry {"type": "cni-guard"} in the conflist of network "`+c.Network+`". Its keys are `+strings.Join(ownKeys(), ", ")+`; guardctl checks lists the checks.`)
	}
	return c, nil
}

func (c *config) readKeys(keys map[string]json.RawMessage) error {
	for _, field := range []struct {
		key string
		to  any
	}{
		{"name", &c.Network}, {"cniVersion", &c.CNIVersion},
		{"stateDir", &c.StateDir}, {"cacheDir", &c.CacheDir}, {"confDir", &c.ConfDir},
	} {
		if raw := keys[field.key]; raw != nil {
			if err := json.Unmarshal(raw, field.to); err != nil {
				return fmt.Errorf("read %q: %w", field.key, err)
			}
		}
	}
	c.PrevResult = notNull(keys["prevResult"])
	c.Device = hasDevice(keys)
	c.Valid = notNull(keys["cni.dev/valid-attachments"])
	if c.Valid == nil { // the spelling of CNI 1.1.0's text; containernetworking/cni#1101
		c.Valid = notNull(keys["cni.dev/attachments"])
	}
	var err error
	if c.HoldDown, err = parseDuration(keys["statusHoldDown"], c.HoldDown); err != nil {
		return fmt.Errorf(`read "statusHoldDown": %w`, err)
	}
	if err := c.mustBeAbsolute(); err != nil {
		return err
	}
	c.Settings, err = guard.ParseSettings(keys["mode"], keys["checks"], checks.Names(), c.Options.Of)
	return err
}

// hasDevice reports whether a device plugin gave the attachment a device: Multus passes
// its ID in each plugin's entry and, where that has the capability, in runtimeConfig.
// What is not readable is none.
func hasDevice(keys map[string]json.RawMessage) bool {
	for _, key := range []string{"deviceID", "pciBusID"} {
		var id string
		if keys[key] != nil && json.Unmarshal(keys[key], &id) == nil && id != "" {
			return true
		}
	}
	var config struct{ DeviceID, CNIDeviceInfoFile string }
	return keys["runtimeConfig"] != nil && json.Unmarshal(keys["runtimeConfig"], &config) == nil &&
		(config.DeviceID != "" || config.CNIDeviceInfoFile != "")
}

// mustBeAbsolute refuses folders that would depend on where the runtime runs.
func (c *config) mustBeAbsolute() error {
	usual := defaultConfig()
	var err error
	for _, dir := range []struct {
		key         string
		path        *string
		whenInvalid string
	}{
		{"stateDir", &c.StateDir, usual.StateDir}, {"cacheDir", &c.CacheDir, usual.CacheDir}, {"confDir", &c.ConfDir, usual.ConfDir},
	} {
		if !strings.HasPrefix(*dir.path, "/") && *dir.path != dir.whenInvalid {
			err = fmt.Errorf("read %q: %q is no absolute path", dir.key, *dir.path)
			*dir.path = dir.whenInvalid // for the verbs that go on
		}
	}
	return err
}

// unknownKey gives the first key that nobody knows, or "". A key with a slash
// belongs to whoever owns the domain before it.
func unknownKey(keys map[string]json.RawMessage) string {
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !slices.Contains(ownKeys(), key) && !slices.Contains(commonKeys(), key) && !strings.Contains(key, "/") {
			return key
		}
	}
	return ""
}

func parseDuration(raw json.RawMessage, byDefault time.Duration) (time.Duration, error) {
	if raw == nil {
		return byDefault, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return byDefault, fmt.Errorf(`want a duration such as "30s": %w`, err)
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("%s is negative", text)
	}
	if err != nil {
		return byDefault, err
	}
	return d, nil
}

func notNull(raw json.RawMessage) json.RawMessage {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	return raw
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A config is the plugin's entry of the conflist with what the runtime adds.
type config struct {
	checks.Entry

	CNIVersion string
	Network    string
	PrevResult json.RawMessage // nil where there is none
	Device     bool            // the attachment was given a device by its ID
	Valid      json.RawMessage // GC: the attachments to keep; nil where none were given
	Warnings   string          // keys of the entry that are ignored; "" where there are none
	ResultErr  error           // why PrevResult cannot be read; nil where it can
}

// defaultConfig is what {"type": "cni-guard"} alone means.
func defaultConfig() config {
	return config{Entry: checks.DefaultEntry(), CNIVersion: unversioned}
}

// unversioned is the version of a configuration that states none.
const unversioned = "0.1.0"

// parseConfig reads the configuration. On an error it still returns what could be
// read, with defaults for the rest, for the verbs that must not fail.
func parseConfig(stdin []byte) (config, *types.Error) {
	c := defaultConfig()
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(stdin, &keys); err != nil {
		return c, types.NewError(types.ErrDecodingFailure, "cni-guard: read configuration: "+err.Error(), "")
	}
	entry, problems := checks.ParseEntryKeys(keys)
	c.Entry, c.Warnings = entry, checks.EntryWarnings(problems)
	if err := c.readCall(keys); err != nil {
		return c, types.NewError(types.ErrInvalidNetworkConfig, "cni-guard: "+err.Error(), "The container runtime writes these keys.")
	}
	if text := checks.EntryErrors(problems); text != "" {
		return c, types.NewError(types.ErrInvalidNetworkConfig, "cni-guard: "+text,
			fmt.Sprintf(`Correct the entry {"type": "cni-guard"} in the conflist of network %q; guardctl conf names the file. Its keys are %s; guardctl checks lists the checks.`,
				c.Network, strings.Join(checks.EntryKeys(), ", ")))
	}
	return c, nil
}

// knownVersion reports whether the list is of a version of the spec that we know.
func (c config) knownVersion() bool {
	return slices.Contains(version.All.SupportedVersions(), c.CNIVersion)
}

// readCall reads what the runtime adds to the entry.
func (c *config) readCall(keys map[string]json.RawMessage) error {
	var errs []error
	for _, field := range []struct {
		key string
		to  *string
	}{{"name", &c.Network}, {"cniVersion", &c.CNIVersion}} {
		if raw := keys[field.key]; raw != nil {
			if err := json.Unmarshal(raw, field.to); err != nil {
				errs = append(errs, fmt.Errorf("read %q: %w", field.key, err))
			}
		}
	}
	if c.CNIVersion == "" {
		c.CNIVersion = unversioned
	}
	if !conflist.ValidName(c.Network) && len(errs) == 0 {
		errs = append(errs, fmt.Errorf(`read "name": %q is not the name of a network: it may have letters, digits, dots, dashes and underscores`, c.Network))
		c.Network = "" // it would become the name of a file
	}
	c.PrevResult = notNull(keys["prevResult"])
	c.Device = hasDevice(keys)
	c.Valid = notNull(keys["cni.dev/valid-attachments"])
	if c.Valid == nil { // the spelling of CNI 1.1.0's text; containernetworking/cni#1101
		c.Valid = notNull(keys["cni.dev/attachments"])
	}
	return errors.Join(errs...)
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

func notNull(raw json.RawMessage) json.RawMessage {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	return raw
}

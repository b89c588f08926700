// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// A config is the plugin's entry of the conflist, with what the runtime adds to it.
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

// defaultConfig returns the configuration {"type": "cni-guard"}.
func defaultConfig() config {
	return config{Entry: checks.DefaultEntry(), CNIVersion: unversioned}
}

// unversioned is the version of a configuration that states none.
const unversioned = "0.1.0"

// parseConfig parses the configuration. With an error it still returns what could be
// parsed, with defaults for the rest, for the verbs that must not fail.
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

// knownVersion reports whether cni-guard knows the version of the list.
func (c config) knownVersion() bool {
	return slices.Contains(version.All.SupportedVersions(), c.CNIVersion)
}

// readCall parses what the runtime adds to the entry.
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

// hasDevice reports whether a device plugin assigned a device to the attachment. Multus
// passes its ID in each plugin's entry and, if the plugin has that capability, in
// runtimeConfig. A value that does not parse is none.
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

// conf returns where the configuration of a call comes from. It reads nothing.
func (c config) conf(args *cmdArgs) checks.Conf {
	return checks.Conf{
		Dir:     c.ConfDir,
		Network: c.Network,
		Runtime: conflist.Runtime{BinDirs: filepath.SplitList(args.Path)},
		Caller:  caller,

		CRIODefaultNetwork: crioDefaultNetwork,
	}
}

// caller returns the name of the calling process. libcni starts plugins without a shell
// in between, so it is the runtime, or Multus.
func caller() (string, error) {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", os.Getppid()))
	if err != nil {
		return "", fmt.Errorf("read name of the calling process: %w", err)
	}
	return string(bytes.TrimSpace(comm)), nil
}

// crioDefaultNetwork returns the cni_default_network of the CRI-O that called, which is
// the parent process and has the same files and working directory. "" means that nothing
// sets it.
func crioDefaultNetwork() (string, error) {
	crio, err := runtimeconf.ReadProcess("/proc", os.Getppid())
	if err != nil {
		return "", err
	}
	return runtimeconf.CRIO{Process: crio}.DefaultNetwork()
}

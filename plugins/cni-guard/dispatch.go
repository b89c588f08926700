// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// cmdArgs are the parameters of a call (SPEC 1.1.0, section 2, "Parameters"), with the
// names of pkg/skel of the CNI library.
type cmdArgs struct {
	ContainerID, Netns, IfName, Args, Path, NetnsOverride string
	StdinData                                             []byte
}

// A verb answers one CNI_COMMAND.
type verb func(*cmdArgs) error

// A dispatcher reads a call and calls its verb, as pkg/skel of the CNI library does. The
// difference is that it refuses no cniVersion: skel refuses an unknown one before the
// verb is called. A list that works must not stop working because the guard was added to
// it, and a DEL must be checked whatever the list contains. The verb parses the
// configuration, once, and no regular expression is compiled at start.
type dispatcher struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	about          string
	verbs          map[string]verb
}

// serve returns the error to answer with, and nil if the verb succeeded.
func (d dispatcher) serve() error {
	command := d.getenv("CNI_COMMAND")
	switch command {
	case "": // no runtime called
		fmt.Fprintf(d.stderr, "%s\nCNI protocol versions supported: %s\n", d.about, strings.Join(version.All.SupportedVersions(), ", "))
		return nil
	case "VERSION":
		return version.All.Encode(d.stdout)
	}
	answer := d.verbs[command]
	if answer == nil {
		return types.NewError(types.ErrInvalidEnvironmentVariables, fmt.Sprintf("unknown CNI_COMMAND: %v", command), "")
	}
	args, err := d.args(command)
	if err != nil {
		return err
	}
	stdin, readErr := io.ReadAll(d.stdin)
	if readErr != nil {
		return types.NewError(types.ErrIOFailure, fmt.Sprintf("error reading from stdin: %v", readErr), "")
	}
	args.StdinData = stdin
	return answer(args)
}

// args reads the environment. The variables that the command needs must be set (SPEC
// 1.1.0, section 2).
func (d dispatcher) args(command string) (*cmdArgs, *types.Error) {
	args := new(cmdArgs)
	attachment, sandbox := []string{"ADD", "CHECK", "DEL"}, []string{"ADD", "CHECK"}
	var missing []string
	for _, v := range []struct {
		name     string
		to       *string
		required bool
		validate func(string) *types.Error
	}{
		{"CNI_CONTAINERID", &args.ContainerID, slices.Contains(attachment, command), validateContainerID},
		{"CNI_NETNS", &args.Netns, slices.Contains(sandbox, command), nil},
		{"CNI_IFNAME", &args.IfName, slices.Contains(attachment, command), validateInterfaceName},
		{"CNI_ARGS", &args.Args, false, nil},
		{"CNI_PATH", &args.Path, true, nil},
		{"CNI_NETNS_OVERRIDE", &args.NetnsOverride, false, nil},
	} {
		*v.to = d.getenv(v.name)
		switch {
		case !v.required:
		case *v.to == "":
			missing = append(missing, v.name)
		case v.validate != nil:
			if err := v.validate(*v.to); err != nil {
				return nil, err
			}
		}
	}
	if len(missing) > 0 {
		return nil, types.NewError(types.ErrInvalidEnvironmentVariables, fmt.Sprintf("required env variables [%s] missing", strings.Join(missing, ",")), "")
	}
	return args, nil
}

func validateContainerID(id string) *types.Error {
	if !conflist.ValidName(id) {
		return types.NewError(types.ErrInvalidEnvironmentVariables, "invalid characters in containerID", id)
	}
	return nil
}

// validateInterfaceName has the rules of the kernel (dev_valid_name in net/core/dev.c):
// fewer than 16 bytes, not "." or "..", and no slash, colon or white space.
func validateInterfaceName(name string) *types.Error {
	invalid := func(why, details string) *types.Error {
		return types.NewError(types.ErrInvalidEnvironmentVariables, why, details)
	}
	switch {
	case len(name) > 15:
		return invalid("interface name is too long", "interface name should be less than 16 characters")
	case name == ".", name == "..":
		return invalid("interface name is . or ..", "")
	case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == ':' || unicode.IsSpace(r) }):
		return invalid("interface name contains / or : or whitespace characters", "")
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/utils"
	"github.com/containernetworking/cni/pkg/version"
)

// A verb answers one CNI_COMMAND.
type verb func(*skel.CmdArgs) error

// A dispatcher reads a call and has the right verb answer it, as pkg/skel of the CNI
// library does, but for one thing: it refuses no cniVersion. skel refuses what it does
// not know before the verb is reached. A list whose primary plugin is content with a
// version must not stop working because the guard was added to it, and a DEL must be
// judged whatever the list says. It also leaves the configuration to the verb, which
// parses it once.
type dispatcher struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	about          string
	verbs          map[string]verb
}

// serve returns the error to answer with; nil where the verb succeeded.
func (d dispatcher) serve() error {
	command := d.getenv("CNI_COMMAND")
	switch command {
	case "": // nobody calls: somebody asks what this is
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

// args reads the environment, and requires of it what the command needs (SPEC 1.1.0,
// section 2).
func (d dispatcher) args(command string) (*skel.CmdArgs, *types.Error) {
	args := new(skel.CmdArgs)
	attachment, sandbox := []string{"ADD", "CHECK", "DEL"}, []string{"ADD", "CHECK"}
	var missing []string
	for _, v := range []struct {
		name     string
		to       *string
		required bool
		validate func(string) *types.Error
	}{
		{"CNI_CONTAINERID", &args.ContainerID, slices.Contains(attachment, command), utils.ValidateContainerID},
		{"CNI_NETNS", &args.Netns, slices.Contains(sandbox, command), nil},
		{"CNI_IFNAME", &args.IfName, slices.Contains(attachment, command), utils.ValidateInterfaceName},
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

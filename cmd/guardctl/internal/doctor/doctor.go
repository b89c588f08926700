// SPDX-License-Identifier: Apache-2.0

// Package doctor is guardctl doctor: it runs the checks that need no pod.
package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/catalog"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cloud"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/nodecheck"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/cmd/internal/snapshot"
	"github.com/cni-guard/cni-guard/cmd/internal/terminal"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// The formats of --output.
const (
	formatText = "text"
	formatJSON = "json"
	formatNPD  = "npd"
	formatProm = "prom"
)

// recent is how far back incidents are shown.
const recent = 24 * time.Hour

// A call is guardctl doctor with its flags.
type call struct {
	node    *node.Node
	suite   []*checks.Check
	version string

	only, skip      []string
	bundle          string // a file of guardctl bundle; "" for this node
	failOn          report.FailOn
	repair          bool
	verbose         bool
	skipped         bool
	short           bool
	wait            time.Duration
	watch           bool
	interval        time.Duration
	output          *cli.Format
	warnedOfSetting bool // that the guard's entry cannot be read in full
}

// Command returns guardctl doctor, of a program of that version. It runs those of the
// checks that run on guard.Node.
func Command(suite []*checks.Check, version string) *cobra.Command {
	c := &call{version: version}
	var failOn []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this node for problems of its pod network",
		Long: "Doctor runs every check that needs no pod. \"guardctl checks\" lists them: those that run\n" +
			"on \"node\". It takes their policies and options from the guard's entry in the network\n" +
			"configuration that the runtime uses, or in the first file that has one.\n\n" +
			"A finding is printed with the evidence, the effect on pods and what to do. Checks that\n" +
			"passed are only counted. What the guard recorded in the last 24 hours follows. Doctor\n" +
			"runs as any user, and without a runtime, and says what it could not look at.\n\n" +
			"It changes nothing unless you pass --repair.\n\n" +
			"Exit codes: 0 no problem, 1 at least one finding, 2 no finding but a check could not\n" +
			"be completed or could not see all that it reads, 64 wrong arguments. Minor findings are\n" +
			"harmless now and do not count. --fail-on says what counts.",
		Example: "  guardctl doctor\n  guardctl doctor --check conflist,CG202\n  guardctl doctor --repair\n" +
			"  guardctl doctor --wait 5m --fail-on finding\n  guardctl doctor --watch\n  guardctl doctor -o json",
		Args: cli.NoArgs,
	}
	c.node = node.New(cmd)
	c.node.SourceDestCheck = new(cloud.AWS).SourceDestCheck
	flags := cmd.Flags()
	flags.BoolVar(&c.repair, "repair", false, "repair what a check can repair, such as the node's lo")
	flags.StringSliceVar(&c.only, "check", nil, "run only these checks, by name or ID")
	flags.StringSliceVar(&c.skip, "skip", nil, "do not run these checks, by name or ID")
	flags.StringSliceVar(&failOn, "fail-on", []string{"finding", "unknown"}, "what the exit code is not 0 for: finding, minor (which includes finding), unknown, or never")
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "show each check, every finding and incident, and how the node was found")
	flags.BoolVar(&c.skipped, "skipped", false, "show the checks that do not apply here, and why")
	flags.BoolVar(&c.short, "short", false, "show only a line for each finding, to be pasted elsewhere")
	flags.DurationVar(&c.wait, "wait", 0, "look again until the exit code is 0, for at most this time, such as 5m")
	flags.BoolVar(&c.watch, "watch", false, "keep running, and print only what changes")
	flags.DurationVar(&c.interval, "interval", 30*time.Second, "how often --wait and --watch look if the kernel reports no change")
	flags.StringVar(&c.bundle, "bundle", "", "judge this file, which guardctl bundle wrote, and not this node")
	cli.Complete(cmd, "check", catalog.Names(suite)...)
	cli.Complete(cmd, "skip", catalog.Names(suite)...)
	cli.Complete(cmd, "fail-on", report.FailOnWords()...)
	c.output = cli.OutputFlag(cmd, formatText, formatJSON, formatNPD, formatProm)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if c.failOn, err = report.ParseFailOn(failOn); err != nil {
			return cli.UsageError(fmt.Errorf("read --fail-on: %w", err))
		}
		if c.suite, err = choose(suite, c.only, c.skip); err != nil {
			return err
		}
		if err := c.validate(); err != nil {
			return cli.UsageError(err)
		}
		return c.run(cmd)
	}
	answerNPD(cmd)
	return cmd
}

// validate returns an error if flags exclude one another.
func (c *call) validate() error {
	switch {
	case c.bundle != "" && (c.repair || c.watch || c.wait > 0 || c.node.Changed() || c.node.Root != ""):
		return fmt.Errorf("--bundle judges a file: leave out --repair, --watch, --wait and the flags that describe a node")
	case c.interval < time.Second:
		return fmt.Errorf("--interval %s is less than a second", c.interval)
	case c.wait < 0:
		return fmt.Errorf("--wait %s is negative", c.wait)
	case c.wait > 0 && c.watch:
		return fmt.Errorf("--wait ends when there is no problem, and --watch never does: leave out one of the two")
	case c.watch && c.output.String() != formatText && !c.output.JSON():
		return fmt.Errorf("--watch prints changes as text or json, and not as %s", c.output)
	case c.short && c.output.String() != formatText:
		return fmt.Errorf("--short is a form of text: leave out --output %s", c.output)
	}
	return nil
}

func (c *call) run(cmd *cobra.Command) error {
	if c.watch {
		return c.watchNode(cmd)
	}
	look := func() (report.Report, error) { return c.look(cmd.Context(), cmd) }
	if c.wait > 0 {
		look = func() (report.Report, error) { return c.waitForNode(cmd) }
	}
	r, err := look()
	if err != nil {
		return err
	}
	if err := c.print(cmd, r); err != nil {
		return err
	}
	return cli.Exit(r.Summary.ExitCode)
}

// look finds the node as it is now and runs the checks once.
func (c *call) look(ctx context.Context, cmd *cobra.Command) (report.Report, error) {
	n := c.node
	recorded, err := c.find(ctx)
	if err != nil {
		return report.Report{}, err
	}
	e, err := n.GuardEntry()
	if err != nil && !c.warnedOfSetting {
		c.warnedOfSetting = true
		cli.Warn(cmd, err, "(doctor uses the defaults for what it cannot read)")
	}
	mode := report.Repair
	if !c.repair {
		mode = report.Observe
		e.Settings = nodecheck.WithoutRepairs(e.Settings, c.suite)
	}
	run, err := nodecheck.Run(ctx, n, c.suite, e)
	if err != nil {
		return report.Report{}, err
	}
	if c.repair {
		nodecheck.RecordRepairs(e.StateDir, "doctor --repair", run)
	}
	r := nodecheck.NewReport(n, e, nodecheck.Program{Version: c.version, Mode: mode}, c.suite, run, c.failOn)
	if recorded != nil {
		recorded.Complete(&r, recent)
		return r, nil
	}
	nodecheck.AddLimits(&r, n, e.StateDir, c.failOn)
	nodecheck.AddEvents(&r, e.StateDir, time.Now().Add(-recent))
	return r, nil
}

// find finds this node as it is now, or reads the one in the bundle.
func (c *call) find(ctx context.Context) (*snapshot.Snapshot, error) {
	if c.bundle == "" {
		return nil, c.node.Find(ctx)
	}
	recorded, err := snapshot.Open(c.bundle)
	if err != nil {
		return nil, err
	}
	recorded.Describe(c.node)
	return recorded, nil
}

// print writes the report in the format that was asked for.
func (c *call) print(cmd *cobra.Command, r report.Report) error {
	w := cmd.OutOrStdout()
	switch {
	case c.output.JSON():
		return cli.PrintJSON(w, r)
	case c.output.String() == formatNPD:
		return r.NPD(w)
	case c.output.String() == formatProm:
		return r.Prometheus(w)
	case c.short:
		return r.Short(w)
	}
	return r.Text(w, report.TextOptions{Terminal: terminal.Of(w), Verbose: c.verbose, Skipped: c.skipped})
}

// choose returns the checks of suite with the names or IDs in only, all if there are none,
// and without those in skip. They are in the order of suite.
func choose(suite []*checks.Check, only, skip []string) ([]*checks.Check, error) {
	find := func(names []string) (map[*checks.Check]bool, error) {
		found := map[*checks.Check]bool{}
		for _, name := range names {
			check, err := catalog.Find(suite, name)
			if err != nil {
				return nil, err
			}
			if check.When&guard.Node == 0 {
				return nil, cli.UsageError(fmt.Errorf("check %s needs a pod: it runs on %s only", check.Name, check.When))
			}
			found[check] = true
		}
		return found, nil
	}
	wanted, err := find(only)
	if err != nil {
		return nil, err
	}
	unwanted, err := find(skip)
	if err != nil {
		return nil, err
	}
	var chosen []*checks.Check
	for _, check := range suite {
		if (len(only) == 0 || wanted[check]) && !unwanted[check] {
			chosen = append(chosen, check)
		}
	}
	return chosen, nil
}

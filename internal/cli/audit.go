package cli

import (
	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
)

func (a *app) auditCommand() *cobra.Command {
	group := a.group("audit", groupOther, "Who did what",
		"The server keeps who changed credentials and connections, who deleted, released or\nadopted resources, longer than the operations themselves, and who called extensions\nand the cloud's own API; never what was sent or answered.",
		"  mcic audit list --limit 20\n  mcic audit list --filter verb=delete --filter kind=vm\n  mcic audit list --filter verb=call")
	group.AddCommand(lists(a, &cobra.Command{
		Short:   "List who did what, the newest first",
		Long:    "Lists who did what, the newest first.\n\n" + filterHelp + "\nThe fields are who, verb, kind, connection, name, uid, cloudId, operation and outcome.",
		Example: "  mcic audit list --filter verb=delete --filter outcome=ok -o json",
	}, (*client.Client).Audit, "there is no entry", func(e api.AuditEntry) string { return e.ID }, a.auditColumns()))
	return group
}

func (a *app) auditColumns() []column[api.AuditEntry] {
	return []column[api.AuditEntry]{
		{"WHO", func(e api.AuditEntry) string { return e.Who }},
		{"VERB", func(e api.AuditEntry) string { return e.Verb }},
		{"KIND", func(e api.AuditEntry) string { return e.Kind }},
		{"NAME", func(e api.AuditEntry) string { return e.Name }},
		{"CONNECTION", func(e api.AuditEntry) string { return e.Connection }},
		{"CLOUD-ID", func(e api.AuditEntry) string { return e.CloudID }},
		{"OUTCOME", func(e api.AuditEntry) string { return e.Outcome }},
		{"DETAIL", func(e api.AuditEntry) string { return cut(e.Detail) }},
		{"AGE", func(e api.AuditEntry) string { return age(a.env.Now(), e.At) }},
	}
}

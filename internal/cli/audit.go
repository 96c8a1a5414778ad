package cli

import (
	"github.com/spf13/cobra"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func (a *app) auditCommand() *cobra.Command {
	group := a.group("audit", groupOther, "Who did what",
		"The server keeps who changed what, who logged in, and who read secrets or called extensions\nand the cloud's own API, longer than the operations themselves; never what was sent or\nanswered. Entries are sealed, so that it is seen if one is changed or removed.",
		"  mcic audit list --limit 20\n  mcic audit list --filter verb=delete --filter kind=vm\n  mcic audit list --filter verb=call")
	group.AddCommand(lists(a, &cobra.Command{
		Short:   "List who did what, the newest first",
		Long:    "Lists who did what, the newest first.\n\n" + filterHelp + "\nThe fields are who, address, tokenId, tokenName, seq, verb, kind, connection, name, uid, cloudId, operation and outcome.",
		Example: "  mcic audit list --filter verb=delete --filter outcome=ok -o json",
	}, (*client.Client).Audit, "there is no entry", func(e api.AuditEntry) string { return e.ID }, a.auditColumns()))
	group.AddCommand(a.auditVerify())
	return group
}

func (a *app) auditVerify() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use: "verify", Args: noArgs,
		Short:   "Verify that nothing of the audit trail was changed or removed",
		Long:    "Has the server look whether every sealed entry is there and is what it was, and says up\nto where the trail is sealed. Compare the seal with a copy that is kept elsewhere: whoever\ncan change the database can seal it anew. It ends with 1 if the trail does not hold.",
		Example: "  mcic audit verify",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			proof, err := c.VerifyAudit(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.printObject(out, proof, proof.Seal, func() error { return a.printView(proof, nil) }); err != nil {
				return err
			}
			if !proof.Holds {
				return resource.Errorf(resource.CodeInternal, "the audit trail does not hold: %s", proof.Broken)
			}
			return nil
		},
	}
	addOutput(cmd, &out)
	return cmd
}

func (a *app) auditColumns() []column[api.AuditEntry] {
	return []column[api.AuditEntry]{
		{"WHO", func(e api.AuditEntry) string { return e.Who }},
		{"VERB", func(e api.AuditEntry) string { return e.Verb }},
		{"KIND", func(e api.AuditEntry) string { return e.Kind }},
		{"NAME", func(e api.AuditEntry) string { return e.Name }},
		{"CONNECTION", func(e api.AuditEntry) string { return e.Connection }},
		{"CLOUD-ID", func(e api.AuditEntry) string { return e.CloudID }},
		{"TOKEN", func(e api.AuditEntry) string { return e.TokenName }},
		{"ADDRESS", func(e api.AuditEntry) string { return e.Address }},
		{"OUTCOME", func(e api.AuditEntry) string { return e.Outcome }},
		{"DETAIL", func(e api.AuditEntry) string { return cut(e.Detail) }},
		{"AGE", func(e api.AuditEntry) string { return age(a.env.Now(), e.At) }},
	}
}

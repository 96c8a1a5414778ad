package cli

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	_ "modernc.org/sqlite" // reads CB-Spider's database

	"github.com/m-cmp/mc-infra-connector/resource"
)

func (a *app) importCommand() *cobra.Command {
	cmd := a.group("import", groupSetup, "Take over what another program manages",
		"Records here what another program manages, so that it can be managed here instead. Nothing is\nchanged on any cloud.",
		"  mcic import cb-spider --db meta_db/cb-spider.db --dry-run")
	var (
		file string
		dry  bool
	)
	spider := &cobra.Command{
		Use: "cb-spider", Args: cobra.NoArgs,
		Short: "Take over the database of a CB-Spider",
		Long: "Reads the SQLite meta database of a CB-Spider and records here what is in it: drivers, regions,\n" +
			"credentials, connections, and its resources under their names. No cloud and not the file is\n" +
			"changed. What cannot be taken over is told; do the same again to try it once more.",
		Example: "  mcic import cb-spider --db meta_db/cb-spider.db --dry-run\n  mcic import cb-spider --db meta_db/cb-spider.db",
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := readSpider(cmd.Context(), file)
			if err != nil {
				return err
			}
			return a.takeOver(cmd.Context(), found, dry)
		},
	}
	spider.Flags().StringVar(&file, "db", "", "`FILE` of the database, such as meta_db/cb-spider.db")
	spider.Flags().BoolVar(&dry, "dry-run", false, "only tell what would be taken over")
	_ = spider.MarkFlagRequired("db") // it was defined above
	cmd.AddCommand(spider)
	return cmd
}

// registration is one call that takes over one thing.
type registration struct {
	what, name string // "VPC", "vpc-01 in aws-seoul"
	path       string // below /spider; "" for what there is no kind for
	body       any

	at   partName       // of a resource
	id   string         // the cloud's
	info map[string]any // ReqInfo of the body
}

// partName is how CB-Spider names a resource, among the parts of an owner.
type partName struct{ connection, owner, name string }

type named struct{ Name, CSPId string }

// joinParts has the parts of resources come with them under their names, and not under
// those that the cloud has for them.
func joinParts(all []registration) {
	parts := map[partName][]named{}
	for _, r := range all {
		if r.path == regSubnet {
			owner := partName{connection: r.at.connection, name: r.at.owner}
			parts[owner] = append(parts[owner], named{r.at.name, r.id})
		}
	}
	for _, r := range all {
		if r.path == regVPC {
			r.info["SubnetInfoList"] = parts[r.at]
		}
	}
}

// Where a VPC is registered, which comes with its subnets, and where one of these is.
const regVPC, regSubnet = "/regvpc", "/regsubnet"

// takeOver makes the calls, in order. One that fails does not keep the others from
// being tried.
func (a *app) takeOver(ctx context.Context, all []registration, dry bool) error {
	if dry {
		for _, r := range all {
			fmt.Fprintf(a.env.Stdout, "%s %s\n", r.what, r.name)
		}
		return nil
	}
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	done, had, failed := 0, 0, 0
	came := map[partName]bool{} // with what it is a part of
	for _, r := range all {
		if r.path == regSubnet && came[r.at] {
			done++
			continue
		}
		var taken struct {
			SubnetInfoList []struct{ IId struct{ NameId string } }
		}
		err := error(resource.Errorf(resource.CodeUnsupported, "this server has no kind for it; it stays where it is"))
		if r.path != "" {
			err = c.Spider(ctx, http.MethodPost, r.path, r.body, &taken)
		}
		for _, part := range taken.SubnetInfoList {
			came[partName{r.at.connection, r.at.name, part.IId.NameId}] = true
		}
		switch code := resource.CodeOf(err); {
		case err == nil:
			done++
		case ctx.Err() != nil:
			return err
		case code == resource.CodeConflict: // it is here already
			had++
		case code == resource.CodeUnauthenticated && strings.Contains(err.Error(), "SPIDER_PASSWORD"):
			return err
		default:
			failed++
			fmt.Fprintf(a.env.Stderr, "%s %s: %v\n", r.what, r.name, err)
		}
	}
	fmt.Fprintf(a.env.Stdout, "%d taken over, %d were here already, %d could not be taken over\n", done, had, failed)
	if failed > 0 {
		return &exitError{exitFailed, fmt.Errorf("%d of %d could not be taken over; mend what is said above and do the same again", failed, len(all))}
	}
	return nil
}

// spiderTable is a table of CB-Spider's database and what its rows become.
type spiderTable struct {
	name     string // in lower case, without underscores
	what     string
	register func(row map[string]string) (registration, error)
}

// readSpider reads what is to be taken over, what is used before what uses it.
func readSpider(ctx context.Context, file string) (all []registration, err error) {
	if _, err := os.Stat(file); err != nil {
		return nil, usageError("--db: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?mode=ro&_pragma=query_only(1)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tables, err := spiderTables(ctx, db)
	if err != nil {
		return nil, usageError("%s is no database that can be read: %w", file, err)
	}
	known := false
	for _, t := range wantedTables() {
		table, ok := tables[t.name]
		if !ok { // of a version that had no such thing
			continue
		}
		known = true
		rows, err := readRows(ctx, db, table)
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", table, file, err)
		}
		for _, row := range rows {
			r, err := t.register(row)
			if err != nil {
				return nil, fmt.Errorf("read a %s of %s: %w", t.what, file, err)
			}
			r.what = t.what
			all = append(all, r)
		}
	}
	if !known {
		return nil, usageError("%s is not the meta database of a CB-Spider: it has none of its tables", file)
	}
	joinParts(all)
	return all, nil
}

func wantedTables() []spiderTable {
	type object = map[string]any
	named := func(path, key string, fields ...string) func(map[string]string) (registration, error) {
		return func(row map[string]string) (registration, error) {
			body := object{}
			for _, f := range fields {
				body[f] = row[strings.ToLower(f)]
			}
			return registration{name: row[strings.ToLower(key)], path: path, body: body}, nil
		}
	}
	iid := func(path string) func(map[string]string) (registration, error) {
		return func(row map[string]string) (registration, error) {
			id, ours := strings.CutPrefix(row["systemid"], row["nameid"]+":")
			if !ours { // a name that CB-Spider made comes first
				_, id, ours = strings.Cut(row["systemid"], ":")
			}
			if !ours {
				id = row["systemid"]
			}
			info := object{"Name": row["nameid"], "CSPId": id}
			if owner := row["ownervpcname"]; owner != "" {
				info["VPCName"] = owner
			}
			return registration{
				name: row["nameid"] + " in " + row["connectionname"], path: path,
				at: partName{row["connectionname"], row["ownervpcname"], row["nameid"]}, id: id, info: info,
				body: object{"ConnectionName": row["connectionname"], "ReqInfo": info},
			}, nil
		}
	}
	return []spiderTable{
		{"clouddriverinfos", "driver", named("/driver", "DriverName", "DriverName", "ProviderName", "DriverLibFileName")},
		{"regioninfos", "region", func(row map[string]string) (registration, error) {
			body := object{"RegionName": row["regionname"], "ProviderName": row["providername"]}
			for key, column := range map[string]string{"KeyValueInfoList": "keyvalueinfolist", "AvailableZoneList": "availablezonelist"} {
				if text := row[column]; text != "" {
					body[key] = json.RawMessage(text)
				}
			}
			return registration{name: row["regionname"], path: "/region", body: body}, nil
		}},
		{"credentialinfos", "credential", func(row map[string]string) (registration, error) {
			values, err := openCredential(row["keyvalueinfolist"])
			return registration{
				name: row["credentialname"], path: "/credential",
				body: object{"CredentialName": row["credentialname"], "ProviderName": row["providername"], "KeyValueInfoList": values},
			}, err
		}},
		{"connectionconfiginfos", "connection", named("/connectionconfig", "ConfigName", "ConfigName", "ProviderName", "DriverName", "CredentialName", "RegionName")},
		{"vpciidinfos", "VPC", iid(regVPC)},
		{"subnetiidinfos", "subnet", iid(regSubnet)},
		{"sgiidinfos", "security group", iid("/regsecuritygroup")},
		{"keyiidinfos", "key pair", iid("/regkeypair")},
		{"vmiidinfos", "VM", iid("/regvm")},
		{"diskiidinfos", "disk", iid("/regdisk")},
		{"myimageiidinfos", "image", iid("/regmyimage")},
		{"publicipiidinfos", "public IP", iid("/regpublicip")},
		{"niciidinfos", "NIC", iid("/regnic")},
		{"nlbiidinfos", "load balancer", iid("/regnlb")},
		{"clusteriidinfos", "cluster", iid("/regcluster")}, // with its node groups
		{"rdbmsiidinfos", "database", iid("")},
		{"filesystemiidinfos", "file system", iid("")},
		{"s3iidinfos", "bucket", iid("")},
	}
}

// spiderTables answers the tables by name in lower case, without underscores, as
// versions of CB-Spider spell them differently.
func spiderTables(ctx context.Context, db *sql.DB) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tables := map[string]string{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		tables[plainName(name)] = name
	}
	return tables, rows.Err()
}

func plainName(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// readRows reads a table as texts by column.
func readRows(ctx context.Context, db *sql.DB, table string) ([]map[string]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT * FROM "`+strings.ReplaceAll(table, `"`, `""`)+`" ORDER BY rowid`) //nolint:gosec // the name comes from the database itself, quoted
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all []map[string]string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := map[string]string{}
		for i, column := range columns {
			row[plainName(column)] = values[i].String
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// spiderKey is the key with which every CB-Spider encrypts credentials, AES-256 in
// counter mode. It is in its source, so that what it protects is no better protected
// than the file.
const spiderKey = "cloud-barista-cb-spider-cloud-ba"

// openCredential decrypts the values of a credential.
func openCredential(text string) ([]map[string]string, error) {
	var list []struct{ Key, Value string }
	if text != "" {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, fmt.Errorf("its keys and values are not readable: %w", err)
		}
	}
	block, err := aes.NewCipher([]byte(spiderKey))
	if err != nil {
		return nil, err
	}
	values := []map[string]string{}
	for _, kv := range list {
		sealed, err := base64.StdEncoding.DecodeString(kv.Value)
		if err != nil {
			sealed, err = hex.DecodeString(kv.Value)
		}
		if err != nil || len(sealed) < aes.BlockSize {
			return nil, fmt.Errorf("the value of %s is not as CB-Spider encrypts it", kv.Key)
		}
		plain := make([]byte, len(sealed)-aes.BlockSize)
		cipher.NewCTR(block, sealed[:aes.BlockSize]).XORKeyStream(plain, sealed[aes.BlockSize:])
		values = append(values, map[string]string{"Key": kv.Key, "Value": string(plain)})
	}
	return values, nil
}

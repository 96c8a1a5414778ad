package resource_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// TestBadSpecsOfStorageAndData tries what no specification of these kinds may be.
func TestBadSpecsOfStorageAndData(t *testing.T) {
	share := func(more string) string { return `{"vpc":"v"` + more + `}` }
	database := func(more string) string { return `{"engine":"mysql","spec":"s","vpc":"v"` + more + `}` }
	broker := func(engine, more string) string {
		return `{"engine":"` + engine + `","spec":"s","vpc":"v"` + more + `}`
	}
	password := func(p string) string {
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return `,"adminPassword":` + string(raw)
	}
	const rule = "three of lower-case letters"
	for _, test := range []struct {
		kind                 *resource.Kind
		spec, field, message string
	}{
		{resource.FileShare.Kind, `{}`, "spec.vpc", "required"},
		{resource.FileShare.Kind, share(`,"protocol":"ftp"`), "spec.protocol", "nfs"},
		{resource.FileShare.Kind, share(`,"sizeGiB":-1`), "spec.sizeGiB", ">= 0"},
		{resource.FileShare.Kind, share(`,"sizeGiB":1.5`), "spec.sizeGiB", "integer"},
		{resource.FileShare.Kind, share(`,"subnets":["a","a"]`), "spec.subnets[1]", "the same"},
		{resource.FileShare.Kind, share(`,"subnets":"a"`), "spec.subnets", "array"},
		{resource.FileShare.Kind, share(`,"securitygroups":["g","g"]`), "spec.securitygroups[1]", "the same"},

		{resource.Database.Kind, `{"spec":"s","vpc":"v"}`, "spec.engine", "required"},
		{resource.Database.Kind, `{"engine":"MySQL","spec":"s","vpc":"v"}`, "spec.engine", "lower case"},
		{resource.Database.Kind, `{"engine":"mysql","vpc":"v"}`, "spec.spec", "required"},
		{resource.Database.Kind, `{"engine":"mysql","spec":"s"}`, "spec.vpc", "required"},
		{resource.Database.Kind, database(`,"storageGiB":0`), "spec.storageGiB", ">= 1"},
		{resource.Database.Kind, database(`,"storageGiB":131073`), "spec.storageGiB", "<= 131072"},
		{resource.Database.Kind, database(`,"backupDays":36`), "spec.backupDays", "<= 35"},
		{resource.Database.Kind, database(`,"adminUser":"1st"`), "spec.adminUser", "a letter"},
		{resource.Database.Kind, database(`,"adminUser":"a'--"`), "spec.adminUser", "a letter"},
		{resource.Database.Kind, database(`,"subnets":["a","a"]`), "spec.subnets[1]", "the same"},
		{resource.Database.Kind, database(`,"securitygroups":["g","g"]`), "spec.securitygroups[1]", "the same"},
		{resource.Database.Kind, database(password("Short-1")), "spec.adminPassword", rule},
		{resource.Database.Kind, database(password("lowercase")), "spec.adminPassword", rule},
		{resource.Database.Kind, database(password("lowercase1")), "spec.adminPassword", rule},
		{resource.Database.Kind, database(password("With blank-1")), "spec.adminPassword", rule},
		{resource.Database.Kind, database(password("With/slash1")), "spec.adminPassword", rule},
		{resource.Database.Kind, database(password(`With\back1`)), "spec.adminPassword", rule},
		{resource.Database.Kind, database(password(`With"quote1`)), "spec.adminPassword", rule},
		{resource.Database.Kind, database(password("With@at-1")), "spec.adminPassword", rule},
		{resource.Database.Kind, database(password("한글비밀번호Aa1")), "spec.adminPassword", rule},
		{resource.Database.Kind, database(password("Aa1-" + strings.Repeat("x", 125))), "spec.adminPassword", "128"},

		{resource.DBBackup.Kind, `{}`, "spec.database", "required"},
		{resource.DBBackup.Kind, `{"database":""}`, "spec.database", ">= 1"},

		{resource.Broker.Kind, broker("zeromq", ""), "spec.engine", "kafka"},
		{resource.Broker.Kind, broker("kafka", `,"nodes":0`), "spec.nodes", ">= 1"},
		{resource.Broker.Kind, broker("kafka", `,"adminUser":"a"`), "spec.adminUser", "only for rabbitmq"},
		{resource.Broker.Kind, broker("kafka", password("Good-enough-1")), "spec.adminPassword", "only for rabbitmq"},
		{resource.Broker.Kind, broker("rabbitmq", password("weak")), "spec.adminPassword", rule},
	} {
		_, err := test.kind.ParseCreate([]byte(body("a", test.spec)))
		wantInvalid(t, err, test.field, test.message)
		if err != nil && strings.Contains(test.spec, "adminPassword") && strings.Contains(err.Error(), "With") {
			t.Errorf("%s: the error repeats the password: %v", test.kind.Name, err)
		}
	}
	for _, p := range []string{"Aa1-aaaa", "lower-1!", "UPPER-1!", "MixedCase1", "Aa1-" + strings.Repeat("x", 124)} {
		if _, err := resource.Database.ParseCreate([]byte(body("a", database(password(p))))); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestBadParamsOfStorageAndData(t *testing.T) {
	for _, test := range []struct {
		kind                  *resource.Kind
		action, params, field string
	}{
		{resource.FileShare.Kind, "resize", `{"sizeGiB":0}`, "sizeGiB"},
		{resource.FileShare.Kind, "addsubnets", `{"subnets":[]}`, "subnets"},
		{resource.FileShare.Kind, "removesubnets", `{"subnets":["a","a"]}`, "subnets[1]"},
		{resource.Database.Kind, "resize", `{}`, "spec"},
		{resource.Database.Kind, "resize", `{"storageGiB":0}`, "storageGiB"},
		{resource.Database.Kind, "setpassword", `{}`, "adminPassword"},
		{resource.Database.Kind, "setpassword", `{"adminPassword":"weakweak"}`, "adminPassword"},
		{resource.Database.Kind, "upgrade", `{"version":""}`, "version"},
		{resource.Database.Kind, "createdatabase", `{"name":"a; drop table"}`, "name"},
		{resource.Database.Kind, "createdatabase", `{"name":"../a"}`, "name"},
		{resource.Database.Kind, "dropdatabase", `{"name":"` + strings.Repeat("x", 64) + `"}`, "name"},
		{resource.Broker.Kind, "resize", `{}`, "spec"},
		{resource.Broker.Kind, "setpassword", `{"adminPassword":"weakweak"}`, "adminPassword"},
	} {
		action, err := test.kind.Action(test.action)
		if err != nil {
			t.Fatal(err)
		}
		_, err = action.ParseParams([]byte(test.params))
		wantInvalid(t, err, test.field, "")
	}
}

// TestPasswordIsMadeIfAbsent holds that it keeps the rule of passwords itself, and that who gives
// one, or needs none, is told none.
func TestPasswordIsMadeIfAbsent(t *testing.T) {
	for _, test := range []struct {
		kind       *resource.Kind
		spec, made string
	}{
		{resource.Database.Kind, `{"engine":"mysql","spec":"s","vpc":"v"}`, "adminPassword"},
		{resource.Database.Kind, `{"engine":"mysql","spec":"s","vpc":"v","adminPassword":"Given-by-1"}`, ""},
		{resource.Broker.Kind, `{"engine":"rabbitmq","spec":"s","vpc":"v"}`, "adminPassword"},
		{resource.Broker.Kind, `{"engine":"kafka","spec":"s","vpc":"v"}`, ""},
	} {
		whole, secrets, err := test.kind.Complete(json.RawMessage(test.spec))
		if err != nil {
			t.Fatal(err)
		}
		if secrets[test.made] == "" != (test.made == "") {
			t.Errorf("%s %s: got the secrets %v", test.kind.Name, test.spec, secrets)
		}
		if _, err := test.kind.ParseCreate([]byte(body("a", string(whole)))); err != nil {
			t.Errorf("%s: what was made is refused: %v", test.kind.Name, err)
		}
		shown, hidden, err := test.kind.Hide(whole)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(shown), "adminPassword") || secrets[test.made] != "" && hidden["adminPassword"] != secrets[test.made] {
			t.Errorf("%s: shown is %s", test.kind.Name, shown)
		}
	}
}

func TestDatabaseFitsItsBackup(t *testing.T) {
	spec := resource.DatabaseSpec{Engine: "mysql", StorageGiB: 20}
	fields := func(backup resource.DBBackupStatus) (fields []string) {
		for _, p := range spec.ProblemsOf(backup) {
			fields = append(fields, p.Field)
		}
		return fields
	}
	for _, test := range []struct {
		backup resource.DBBackupStatus
		fields []string
	}{
		{resource.DBBackupStatus{}, nil},
		{resource.DBBackupStatus{Engine: "mysql", SizeGiB: 20}, nil},
		{resource.DBBackupStatus{Engine: "mysql", SizeGiB: 21}, []string{"spec.storageGiB"}},
		{resource.DBBackupStatus{Engine: "mariadb", SizeGiB: 5}, []string{"spec.engine"}},
	} {
		if got := fields(test.backup); !slices.Equal(got, test.fields) {
			t.Errorf("%+v: got %v, want %v", test.backup, got, test.fields)
		}
	}
}

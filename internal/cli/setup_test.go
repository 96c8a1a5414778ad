package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultDataDir(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"MCIC_DATA": "here", "HOME": "/h"}, "here"},
		{map[string]string{"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/mcic"},
		{map[string]string{"XDG_DATA_HOME": "relative", "HOME": "/h"}, "/h/.local/share/mcic"},
		{map[string]string{"USERPROFILE": "/u"}, "/u/.local/share/mcic"},
		{nil, ".local/share/mcic"},
	} {
		assert.Equal(t, filepath.FromSlash(tc.want), DefaultDataDir(func(key string) string { return tc.env[key] }))
	}
}

func TestWhereCommandsGoTo(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	contexts := write("contexts.yaml", "current: lab\ncontexts:\n  lab: {server: 'https://lab', token: lab-token, connection: lab-cloud}\n  here: {server: 'http://localhost:9'}\n  way: {server: 'http://way', ca: /ca.crt, clientCert: /c.crt, clientKey: /c.key, insecureHTTP: true}\n")
	tokenFile := write("mine", "file-token\n")
	write("token", "local-token\n")

	for _, tc := range []struct {
		name string
		app  app
		env  map[string]string
		want settings
	}{
		{"nothing but this machine", app{}, map[string]string{"MCIC_DATA": dir}, settings{defaultServer, "local-token", filepath.Join(dir, "token"), "", way{}, nil}},
		{"nothing at all", app{}, nil, settings{defaultServer, "", "", "", way{}, nil}},
		{"the current context", app{}, map[string]string{"MCIC_CONFIG": contexts, "MCIC_DATA": dir}, settings{"https://lab", "lab-token", "the context", "lab-cloud", way{}, nil}},
		{"another context", app{context: "here"}, map[string]string{"MCIC_CONFIG": contexts, "MCIC_DATA": dir}, settings{"http://localhost:9", "local-token", filepath.Join(dir, "token"), "", way{}, nil}},
		{"a named context before the variable", app{context: "lab"}, map[string]string{"MCIC_CONFIG": contexts, "MCIC_SERVER": "https://env"}, settings{"https://lab", "lab-token", "the context", "lab-cloud", way{}, nil}},
		{"variables before the context", app{}, map[string]string{"MCIC_CONFIG": contexts, "MCIC_SERVER": "https://env", "MCIC_TOKEN": "env-token"}, settings{"https://env", "env-token", "$MCIC_TOKEN", "", way{}, nil}},
		{"the connection of the variable", app{}, map[string]string{"MCIC_CONFIG": contexts, "MCIC_CONNECTION": "mine"}, settings{"https://lab", "lab-token", "the context", "mine", way{}, nil}},
		{"no token of one server for another", app{}, map[string]string{"MCIC_CONFIG": contexts, "MCIC_SERVER": "https://env", "MCIC_DATA": dir}, settings{"https://env", "", "", "", way{}, nil}},
		{
			"the context's way",
			app{context: "way"},
			map[string]string{"MCIC_CONFIG": contexts},
			settings{"http://way", "", "", "", way{CA: "/ca.crt", Certificate: "/c.crt", Key: "/c.key", InsecureHTTP: true}, nil},
		},
		{
			"another way before the context's",
			app{context: "way", way: way{CA: "flag.crt"}},
			map[string]string{"MCIC_CONFIG": contexts, "MCIC_CA": "env.crt", "MCIC_CLIENT_CERT": "env.c", "MCIC_CLIENT_KEY": "env.k"},
			settings{"http://way", "", "", "", way{CA: "flag.crt", Certificate: "env.c", Key: "env.k", InsecureHTTP: true}, nil},
		},
		{"no way of one server for another", app{server: "https://flag"}, map[string]string{"MCIC_CONFIG": contexts, "MCIC_INSECURE_HTTP": "1"}, settings{"https://flag", "", "", "", way{InsecureHTTP: true}, nil}},
		{"flags before all", app{server: "https://flag", tokenFile: tokenFile}, map[string]string{"MCIC_CONFIG": contexts, "MCIC_SERVER": "https://env", "MCIC_TOKEN": "t"}, settings{"https://flag", "file-token", "--token-file", "", way{}, nil}},
	} {
		a := tc.app
		a.env.Getenv = func(key string) string { return tc.env[key] }
		got, err := a.settings(t.Context())
		require.NoError(t, err, tc.name)
		assert.Equal(t, tc.want, got, tc.name)
	}
}

func TestContexts(t *testing.T) {
	s := newShell(t, nil)
	s.env = map[string]string{"HOME": s.dir}
	assert.Empty(t, s.ok("context list"))
	assert.Contains(t, s.err.String(), "no contexts")
	assert.Equal(t, 2, s.run("context current"))
	assert.Equal(t, 2, s.run("context set lab"))
	assert.Contains(t, s.err.String(), "--server is required")
	assert.Equal(t, 2, s.run("context set lab --server nowhere"))

	s.stdin = "the-token\n"
	assert.Equal(t, "context lab set; the current context is lab\n", s.ok("context set lab --server https://lab --token-file - -c cloud"))
	s.ok("context set other --server https://other")
	assert.Equal(t, "NAME   CURRENT  SERVER         TOKEN  CONNECTION\nlab    yes      https://lab    yes    cloud\nother  -        https://other  -      -\n", s.ok("context list"))
	path := s.path(".config/mcic/config.yaml")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	assert.NotContains(t, s.ok("context list -o json"), "the-token")

	s.ok("context use other")
	assert.Equal(t, "other\n", s.ok("context current -o name"))
	s.ok("context set lab --connection second")
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(raw), "token: the-token", "what is not given stays")
	s.ok("context set lab --server https://moved")
	raw, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(raw), "the-token", "a token is not for another server")

	for _, verb := range []string{"use", "delete"} {
		assert.Equal(t, 2, s.run("context "+verb+" none"))
		assert.Contains(t, s.err.String(), `there is no context "none"`)
	}
	s.ok("context delete other")
	assert.Equal(t, 2, s.run("context current"))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file is left")

	require.NoError(t, os.Chmod(path, 0o644))
	assert.Equal(t, 2, s.run("context list"))
	assert.Contains(t, s.err.String(), "chmod 600")
	require.NoError(t, os.WriteFile(path, []byte("contexts: [\n"), 0o600))
	require.NoError(t, os.Chmod(path, 0o600))
	assert.Equal(t, 2, s.run("vm list -c x"))
	assert.Contains(t, s.err.String(), "is not valid")
}

func TestTokenHints(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	s.env["MCIC_TOKEN"] = "wrong"
	assert.Equal(t, 5, s.run("vm list"))
	assert.Contains(t, s.err.String(), "Hint: the token of $MCIC_TOKEN is not the one of the server at "+f.url)
	s.env["MCIC_TOKEN"] = ""
	assert.Equal(t, 5, s.run("vm list"))
	assert.Contains(t, s.err.String(), "Hint: no token is known for the server at "+f.url)
	require.NoError(t, os.WriteFile(s.path("empty"), nil, 0o600))
	assert.Equal(t, 2, s.run("vm list --token-file "+s.path("empty")))
	assert.Equal(t, 1, s.run("vm list --token-file "+s.path("none")))
}

func TestCredentials(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	require.NoError(t, os.WriteFile(s.path("key"), []byte("-----\nabc\n"), 0o600))
	s.stdin = "first\nsecond\r\n"
	out := s.ok("credential create k --cloud mock --set id=a=b --set x=- --set y=- --set-file key=" + s.path("key"))
	assert.Contains(t, out, "name:      k\n")
	assert.Equal(t, `POST /credentials {"name":"k","cloud":"mock","values":{"id":"a=b","key":"-----\nabc","x":"first","y":"second"}}`, f.seen()[0])
	s.stdin = "several\nlines\n"
	s.ok("credential create k --cloud mock --set x=-")
	assert.Contains(t, f.seen()[1], `{"x":"several\nlines"}`)
	assert.Equal(t, 2, s.run("credential create k --cloud mock --set x=- --set y=- --set z=-"))
	assert.Equal(t, 2, s.run("credential create k --cloud mock --set x=1 --set-file x="+s.path("key")))
	assert.Equal(t, 2, s.run("credential create k --cloud mock --set-file x="+s.path("none")))
	assert.Equal(t, 2, s.run("credential create k --cloud mock --set secretwithoutkey"))

	var asked []string
	s.adapt = func(env *Env) {
		env.ReadSecret = func(_ context.Context, prompt string) (string, error) {
			asked = append(asked, prompt)
			return "typed", nil
		}
	}
	s.ok("credential create k --cloud mock --set x=- --set y=-")
	assert.Equal(t, []string{"x: ", "y: "}, asked)
	assert.Contains(t, f.seen()[2], `{"x":"typed","y":"typed"}`)
	s.adapt = func(env *Env) {
		env.ReadSecret = func(context.Context, string) (string, error) {
			return "", errors.Join(context.Canceled, nil)
		}
	}
	assert.Equal(t, exitInterrupted, s.run("credential create k --cloud mock --set x=-"))
	assert.Equal(t, "Interrupted.\n", s.err.String())
}

func TestSetup(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	s.ok("connection create c --cloud mock --credential k --region r --zone z --setting a=b --setting c=d")
	assert.Equal(t, `POST /connections {"name":"c","cloud":"mock","credential":"k","region":"r","zone":"z","settings":{"a":"b","c":"d"}}`, f.seen()[0])
	s.ok("connection create c --cloud mock --patience cluster=2h --patience nlb=45m")
	assert.Contains(t, f.seen()[1], `"patience":{"cluster":"2h","nlb":"45m"}`)
	s.ok("connection update c --patience cluster=2h")
	s.ok("connection update c --usual-patience")
	assert.Equal(t, []string{`PATCH /connections/c {"patience":{"cluster":"2h"}}`, `PATCH /connections/c {"patience":{}}`}, f.seen()[2:4])
	assert.Equal(t, 2, s.run("connection update c"))
	s.ok("connection update c --credential k2 --zone z2 --setting a=b --no-check")
	s.ok("connection update c --no-settings --zone=")
	s.stdin = "s3cret\n"
	s.ok("credential update k --set password=- --expires 2027-03-31")
	s.ok("credential update k --expires never --no-check")
	assert.Equal(t, []string{
		`PATCH /connections/c?check=false {"credential":"k2","zone":"z2","settings":{"a":"b"}}`, `PATCH /connections/c {"zone":"","settings":{}}`,
		`PATCH /credentials/k {"values":{"password":"s3cret"},"expiresAt":"2027-03-31T00:00:00Z"}`, `PATCH /credentials/k?check=false {"expiresAt":"0001-01-01T00:00:00Z"}`,
	}, f.seen()[4:8])
	assert.Equal(t, 2, s.run("credential update k"))
	assert.Equal(t, 2, s.run("credential update k --expires tomorrow"))
	assert.Equal(t, 2, s.run("connection update c --no-settings --setting a=b"))
	assert.Equal(t, "NAME  CLOUD  CREDENTIAL  REGION  ZONE  LABELS  AGE\nit    mock   -           -       -     -       3h0m\n", s.ok("connection list"))
	assert.Equal(t, "NAME  CLOUD  FIELDS  ENDS  AGE\nit    mock   -       -     3h0m\n", s.ok("credential list"))
	assert.Equal(t, "NAME  TITLE  VERSION  REPOSITORY  KINDS  PROBLEM\nit    It     1.0.0    -           -      -\n", s.ok("driver list"))
	assert.Contains(t, s.ok("driver get aws"), "name:    aws\n")
	asks := func(line, request string) {
		t.Helper()
		s.ok(line)
		seen := f.seen()
		assert.Equal(t, request, seen[len(seen)-1])
	}
	asks("driver search two words --repository r", "GET /drivers:search?repository=r&text=two+words")
	asks("driver install aws --version 1.2.0 --repository r", `POST /drivers {"name":"aws","version":"1.2.0","repository":"r"}`)
	asks("driver upgrade aws", `POST /drivers/aws:upgrade {}`)
	asks("driver downgrade aws --version 1.1.0", `POST /drivers/aws:downgrade {"version":"1.1.0"}`)
	asks("driver verify aws", "POST /drivers/aws:verify")
	asks("driver remove aws", "DELETE /drivers/aws")
	key := filepath.Join(t.TempDir(), "k.pub")
	require.NoError(t, os.WriteFile(key, []byte("KEY"), 0o600))
	asks("repository create r --url oci://h/n --key "+key+" --key aws="+key+" --priority 5 --username u --password p",
		`POST /repositories {"name":"r","url":"oci://h/n","priority":5,"keys":[{"key":"KEY"},{"key":"KEY","prefix":"aws"}],"username":"u","password":"p"}`)
	asks("repository update r --priority 0 --insecure=false --key aws="+key+" --password=",
		`PATCH /repositories/r {"priority":0,"keys":[{"key":"KEY","prefix":"aws"}],"insecure":false,"password":""}`)
	asks("driver get aws --repository r --version 1.0.0", "GET /repositories/r/drivers/aws?version=1.0.0")
	asks("repository list", "GET /repositories")
	asks("repository delete r", "DELETE /repositories/r")
	assert.Equal(t, 2, s.run("repository create r --url oci://h/n"), "without a key")
	assert.Contains(t, s.ok("credential get k -o json"), `"name": "k"`)
	assert.Equal(t, "connection c works\n", s.ok("connection check c"))
	assert.Contains(t, s.ok("connection check c -o json"), `"ok": true`)
	assert.Equal(t, "connection c deleted\nconnection d deleted\n", s.ok("connection delete c d"))
	f.status, f.problem = 409, map[string]any{"code": "dependency", "detail": "in use"}
	assert.Equal(t, 4, s.run("credential delete k"))
	assert.Contains(t, s.err.String(), "Error: credential k: in use")
	assert.Equal(t, 4, s.run("connection check c"))
}

func TestTokenFromStandardInputIsReadOnce(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	s.env["MCIC_TOKEN"], s.stdin = "", "secret\n"
	s.ok("vm list --token-file -")
}

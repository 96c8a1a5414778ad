package aws

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/test/moto"
)

// Every operation that is called is among the permissions that the driver documents, and
// no other: an account that gives just these can do everything.
func TestPermissionsAreTheOperationsThatAreCalled(t *testing.T) {
	t.Parallel()
	services := map[string]string{ // by the name of a client or of its package
		"ec2": "ec2", "elb": "elasticloadbalancing", "eks": "eks", "sts": "sts", "pricing": "pricing", "limits": "servicequotas", "servicequotas": "servicequotas",
	}
	called := map[string]bool{
		"iam:PassRole":   true, // for the roles that EKS is given
		"sts:AssumeRole": true, // which the SDK calls
	}
	paginator := regexp.MustCompile(`^New(\w+)Paginator$`)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			selected, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch of := selected.X.(type) {
			case *ast.SelectorExpr: // c.ec2.DescribeVpcs
				if service, known := services[of.Sel.Name]; known {
					called[service+":"+selected.Sel.Name] = true
				}
			case *ast.Ident: // ec2.NewDescribeVpcsPaginator
				if match := paginator.FindStringSubmatch(selected.Sel.Name); match != nil {
					called[services[of.Name]+":"+match[1]] = true
				}
			}
			return true
		})
	}
	documented := slices.Clone(about().Permissions)
	slices.Sort(documented)
	assert.Equal(t, slices.Sorted(maps.Keys(called)), documented)
	assert.Equal(t, slices.Compact(slices.Clone(documented)), documented, "each once")
}

// assertPermitted checks that the calls to an emulator need no other permission.
func assertPermitted(t *testing.T, stage *moto.Stage) {
	t.Helper()
	calls := stage.Calls()
	assert.NotEmpty(t, calls)
	assert.Subset(t, about().Permissions, calls)
}

package driver_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/m-cmp/mc-infra-connector/driver"
)

func TestKubeconfig(t *testing.T) {
	text, err := driver.Kubeconfig{Cluster: "a: b", Server: "https://203.0.113.7:6443", CA: []byte("authority"), Token: "secret"}.YAML()
	require.NoError(t, err)
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
	require.NoError(t, err)
	require.Equal(t, "https://203.0.113.7:6443", config.Host)
	require.Equal(t, []byte("authority"), config.CAData)
	require.Equal(t, "secret", config.BearerToken)
	whole, err := clientcmd.Load([]byte(text))
	require.NoError(t, err)
	require.Equal(t, "a: b", whole.CurrentContext)
	require.NoError(t, clientcmd.ConfirmUsable(*whole, ""))

	text, err = driver.Kubeconfig{Cluster: "k8s", Server: "https://203.0.113.7", Certificate: []byte("mine"), Key: []byte("its key")}.YAML()
	require.NoError(t, err)
	config, err = clientcmd.RESTConfigFromKubeConfig([]byte(text))
	require.NoError(t, err)
	require.Equal(t, []byte("mine"), config.CertData)
	require.Equal(t, []byte("its key"), config.KeyData)
	require.Empty(t, config.BearerToken)
	require.NotContains(t, text, "certificate-authority-data", "the system's")

	text, err = driver.Kubeconfig{Cluster: "k8s", Server: "https://203.0.113.7", CAData: "YXV0aG9yaXR5", Token: "secret"}.YAML()
	require.NoError(t, err)
	config, err = clientcmd.RESTConfigFromKubeConfig([]byte(text))
	require.NoError(t, err)
	require.Equal(t, []byte("authority"), config.CAData)
	_, err = driver.Kubeconfig{Cluster: "k8s", CAData: "-----BEGIN"}.YAML()
	require.ErrorContains(t, err, "certificate of the cluster k8s")
}

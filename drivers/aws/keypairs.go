package aws

import (
	"context"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// keyPairs have their name as id: it is unique in a region, never changes, and is
// what instances refer to, both in RunInstances and in DescribeInstances. With the
// key-… id every list of VMs would cost another call.
type (
	keyPairs struct{ *session }
	keyPair  = driver.Object[resource.KeyPairSpec, resource.KeyPairStatus]
)

// List answers all key pairs of the region.
func (k keyPairs) List(ctx context.Context, f driver.Filter) iter.Seq2[keyPair, error] {
	return k.describe(ctx, &ec2.DescribeKeyPairsInput{Filters: narrowed(f, "key-name")})
}

// Get answers one key pair.
func (k keyPairs) Get(ctx context.Context, id string) (keyPair, error) {
	return driver.One(k.describe(ctx, &ec2.DescribeKeyPairsInput{KeyNames: []string{id}}), "key pair", id)
}

// Make imports a public key. AWS takes a name once in a region.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImportKeyPair.html
func (k keyPairs) Make(ctx context.Context, r driver.Request[resource.KeyPairSpec]) (keyPair, error) {
	tags, err := writeTags(r.Token, r.Name, r.Labels, types.ResourceTypeKeyPair)
	if err != nil {
		return keyPair{}, err
	}
	out, err := call(ctx, k.ec2.ImportKeyPair, &ec2.ImportKeyPairInput{
		KeyName: aws.String(r.Name), PublicKeyMaterial: []byte(r.Spec.PublicKey), TagSpecifications: tags,
	})
	if err != nil {
		return keyPair{}, err
	}
	made := k.object(types.KeyPairInfo{KeyName: out.KeyName, KeyPairId: out.KeyPairId, KeyFingerprint: out.KeyFingerprint, Tags: tags[0].Tags})
	made.Spec = r.Spec
	return made, nil
}

// Delete removes a key pair. AWS takes the removal of what is not there as done.
func (k keyPairs) Delete(ctx context.Context, id string) error {
	_, err := call(ctx, k.ec2.DeleteKeyPair, &ec2.DeleteKeyPairInput{KeyName: aws.String(id)})
	return driver.Except(err, resource.CodeNotFound)
}

// Label changes the labels of a key pair; tags go by its other id.
func (k keyPairs) Label(ctx context.Context, id string, change resource.LabelChange) error {
	out, err := call(ctx, k.ec2.DescribeKeyPairs, &ec2.DescribeKeyPairsInput{KeyNames: []string{id}})
	if err != nil {
		return err
	}
	if len(out.KeyPairs) != 1 {
		return resource.Errorf(resource.CodeNotFound, "the cloud has no key pair %s in this region", id)
	}
	return k.session.Label(ctx, aws.ToString(out.KeyPairs[0].KeyPairId), change)
}

// describe needs no pages: DescribeKeyPairs has none.
func (k keyPairs) describe(ctx context.Context, in *ec2.DescribeKeyPairsInput) iter.Seq2[keyPair, error] {
	in.IncludePublicKey = aws.Bool(true)
	return paged(ctx, unpaged(k.ec2.DescribeKeyPairs, in),
		func(page *ec2.DescribeKeyPairsOutput) []types.KeyPairInfo { return page.KeyPairs }, k.object)
}

func (keyPairs) object(x types.KeyPairInfo) keyPair {
	o := object[resource.KeyPairSpec, resource.KeyPairStatus](x.KeyName, x.Tags, x)
	o.Name = o.ID
	o.State = resource.StateAvailable // AWS knows no states of key pairs
	o.CreatedAt = x.CreateTime
	o.Spec = resource.KeyPairSpec{Algorithm: string(x.KeyType), PublicKey: strings.TrimSpace(aws.ToString(x.PublicKey))}
	o.Status.Fingerprint = aws.ToString(x.KeyFingerprint)
	return o
}

package node

import (
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

const credentialFile = "credential.pem"

// identity gives the node's credential, and the addresses to find the mesh
// at. A credential in the data folder serves as long as it is in force; else
// the join token makes one, for the same key if there is one.
func (c Config) identity(now time.Time) (admission.Credential, []string, error) {
	credential, err := c.loadCredential()
	if err != nil {
		return admission.Credential{}, nil, err
	}
	bootstrap := slices.Clone(c.Bootstrap)
	if c.Token == "" {
		if credential.IsZero() {
			return admission.Credential{}, nil, mesh.Errorf(mesh.Invalid, "node configuration",
				"Token is empty, and %s holds no credential: expected a join token for the first start", c.DataDir)
		}
		return credential, bootstrap, inForce(credential, now)
	}
	token, err := admission.ParseToken(c.Token)
	if err != nil {
		return admission.Credential{}, nil, err
	}
	bootstrap = append(bootstrap, token.Bootstrap...)
	if !credential.IsZero() {
		if credential.MeshID() != token.MeshID() {
			return admission.Credential{}, nil, mesh.Errorf(mesh.Invalid, "node configuration",
				"%s holds a node of mesh %s, and Token is for mesh %s: expected a folder of its own for each mesh", c.DataDir, credential.MeshID(), token.MeshID())
		}
		if inForce(credential, now) == nil {
			return credential, bootstrap, nil
		}
	}
	credential, err = c.join(token, credential.Key(), now)
	return credential, bootstrap, err
}

// join makes a credential with the token, and keeps it in the data folder.
func (c Config) join(token admission.Token, key ed25519.PrivateKey, now time.Time) (admission.Credential, error) {
	if key == nil {
		key = admission.NewKey()
	}
	credential, err := token.Join(key, now)
	if err != nil {
		return admission.Credential{}, err
	}
	if err := inForce(credential, now); err != nil {
		return admission.Credential{}, err
	}
	return credential, c.file(credentialFile).Save(credential.Marshal())
}

// inForce gives a Denied error unless the credential is that of a node, and valid now.
func inForce(credential admission.Credential, now time.Time) error {
	member, err := credential.Member(now)
	if err != nil {
		return err
	}
	if member.Role != admission.Node {
		return mesh.Errorf(mesh.Denied, "join", "the credential is for a %s: expected one for a node", member.Role)
	}
	return nil
}

// loadCredential gives the zero Credential when there is none.
func (c Config) loadCredential() (admission.Credential, error) {
	content, err := c.file(credentialFile).Load()
	if err != nil || content == nil {
		return admission.Credential{}, err
	}
	return admission.ParseCredential(content)
}

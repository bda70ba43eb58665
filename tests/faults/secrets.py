"""Secrets as people have them, and what looks like one: names → paths and bytes.

No key is written here: openssl, ssh-keygen and gpg make them, and tokens are put together from
parts, so that nobody's scanner takes this file for what it is about.

`scripts/fuzz --only secrets` plants all of them, adds them, and counts those that are refused.
"""

import base64
import json
import random
import string
import struct
import subprocess
import zlib

from rootfs_builder.filesystem.root import DirectoryRoot, tree
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs import secrets

_CHANCE = random.Random("secrets")
_WORD = string.ascii_letters + string.digits
TOOLS = ("openssl", "ssh-keygen", "gpg")
PLANTED_AT_LEAST = 93


def some(count, letters=_WORD):
    """Letters by chance, always the same."""
    return "".join(_CHANCE.choice(letters) for _ in range(count))


def of_github(kind):
    """A token as GitHub makes them: its end is the CRC-32 of what chance gave."""
    random = some(30)
    number = zlib.crc32(random.encode())
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    check = "".join(digits[number // 62**place % 62] for place in reversed(range(6)))
    return f"gh{kind}_{random}{check}"


def run(*command, given=None, cwd=None):
    """What a tool writes."""
    done = subprocess.run(command, input=given, capture_output=True, check=True, cwd=cwd)
    return done.stdout


def made(folder, *command, name="k"):
    """The file that a tool makes."""
    run(*command, cwd=folder)
    data = (folder / name).read_bytes()
    (folder / name).unlink()
    return data


def keys(folder):
    """Private keys in all forms, by name."""
    openssl = "openssl"
    pkcs8 = run(openssl, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    rsa = run(openssl, "rsa", "-traditional", given=pkcs8)
    ec = run(openssl, "ecparam", "-genkey", "-noout", "-name", "prime256v1")
    ed = run(openssl, "genpkey", "-algorithm", "ED25519")
    encrypted = run(openssl, "pkcs8", "-topk8", "-passout", "pass:abcdef", given=pkcs8)
    (folder / "p.pem").write_bytes(pkcs8)
    ask = (openssl, "req", "-x509", "-key", "p.pem", "-subj", "/CN=a", "-days", "9")
    certificate = run(*ask, cwd=folder)
    (folder / "c.pem").write_bytes(certificate)
    export = (openssl, "pkcs12", "-export", "-passout", "pass:abcdef", "-in", "c.pem")
    make = ("ssh-keygen", "-q", "-t", "ed25519", "-f", "k", "-C", "me", "-N")
    return {
        "rsa": rsa,
        "pkcs8": pkcs8,
        "ec": ec,
        "ed": ed,
        "encrypted": encrypted,
        "dek": run(openssl, "rsa", "-traditional", "-aes128", "-passout", "pass:abcd", given=pkcs8),
        "openssh": made(folder, *make, ""),
        "openssh encrypted": made(folder, *make, "abcdef"),
        "certificate": certificate,
        "pkcs12": run(*export, "-inkey", "p.pem", cwd=folder),
        "truststore": run(*export, "-nokeys", cwd=folder),
        "pkcs8 der": run(openssl, "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", given=pkcs8),
        "pkcs1 der": run(openssl, "rsa", "-traditional", "-outform", "DER", given=pkcs8),
        "ec der": run(openssl, "ec", "-outform", "DER", given=ec),
        "encrypted der": base64.b64decode(b"".join(encrypted.split(b"\n")[1:-2])),
        "certificate der": run(openssl, "x509", "-outform", "DER", given=certificate),
        "public der": run(openssl, "rsa", "-pubout", "-outform", "DER", given=pkcs8),
        **_gpg(folder),
    }


def _gpg(folder):
    home = folder / "g"
    home.mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", str(home), "--batch", "--passphrase", "")
    run(*gpg, "--quick-gen-key", "me", "ed25519")
    found = {
        "pgp": run(*gpg, "--export-secret-keys"),
        "pgp armored": run(*gpg, "--armor", "--export-secret-keys"),
        "pgp public": run(*gpg, "--export"),
        "gpg agent": next((home / "private-keys-v1.d").glob("*.key")).read_bytes(),
    }
    run("gpgconf", "--homedir", str(home), "--kill", "all")
    return found


def jks(magic, tag):
    """A keystore of Java with one entry."""
    value = struct.pack(">I", 40) + b"k" * 40
    entry = struct.pack(">IH", tag, 1) + b"a" + bytes(8)
    entry += (b"\0\5X.509" if tag == 2 else b"") + value
    return magic + struct.pack(">II", 2, 1) + entry + bytes(20)


def keytab():
    """A keytab with one entry."""
    entry = struct.pack(">HH", 2, 7) + b"EXAMPLE" + b"\0\4host\0\1a" + bytes(9)
    entry += struct.pack(">HH", 18, 32) + b"k" * 32
    return b"\5\2" + struct.pack(">i", len(entry)) + entry


def planted(folder):
    """Each case: its name, the path of the file, and its bytes."""
    key = keys(folder)
    text = {**_keys_in_texts(key), **_tokens(), **_hashes(), **_services(), **_named()}
    return {**_files_of_keys(key), **text}


def _files_of_keys(key):
    files = {
        "RSA": ("server.pem", key["rsa"]),
        "PKCS#8": ("server.key", key["pkcs8"]),
        "EC": ("ec.pem", key["ec"]),
        "Ed25519": ("ed.pem", key["ed"]),
        "encrypted PKCS#8": ("e.pem", key["encrypted"]),
        "encrypted RSA": ("dek.pem", key["dek"]),
        "OpenSSH": ("deploy", key["openssh"]),
        "encrypted OpenSSH": ("deploy2", key["openssh encrypted"]),
        "PKCS#12": ("app.p12", key["pkcs12"]),
        "PKCS#8 in DER": ("key.der", key["pkcs8 der"]),
        "PKCS#1 in DER": ("rsa.der", key["pkcs1 der"]),
        "SEC1 in DER": ("ec.der", key["ec der"]),
        "encrypted PKCS#8 in DER": ("key.p8", key["encrypted der"]),
        "PGP, armored": ("me.asc", key["pgp armored"]),
        "PGP, binary": ("me.gpg", key["pgp"]),
        "gpg-agent": ("abc.key", key["gpg agent"]),
        "JKS": ("app.jks", jks(b"\xfe\xed\xfe\xed", 1)),
        "JCEKS": ("app.jceks", jks(b"\xce\xce\xce\xce", 3)),
        "Android keystore": ("release.keystore", jks(b"\xfe\xed\xfe\xed", 1)),
        "keytab": ("app.keytab", keytab()),
        "PuTTY": ("k.ppk", f"PuTTY-User-Key-{'File'}-3: ssh-ed25519\nEncryption: none\n".encode()),
        "KeePass": ("p.kdbx", b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5" + bytes(60)),
        "DNSSEC": ("K.private", f"Private-key-{'format'}: v1.3\nAlgorithm: 13\n".encode()),
        "Kerberos tickets": ("krb5cc_0", b"\5\4\0\x0c\0\1\0\x08" + bytes(60)),
    }
    return {name: ("srv/" + path, data) for name, (path, data) in files.items()}


def _keys_in_texts(key):
    pem = key["pkcs8"].decode()
    escaped = pem.replace("\n", "\\n")
    indented = "".join(f"      {line}\n" for line in pem.splitlines())
    in_base64 = base64.b64encode(key["ed"]).decode()
    filler = b"some log line, which is text as well\n" * 40000
    files = {
        "a Python string": ("a.py", f'KEY = "{escaped}"\n'),
        "lines of Python strings": ("b.py", "\n".join(f'  "{x}\\n"' for x in pem.splitlines())),
        "XML": ("a.xml", f"<a><key>{pem}</key></a>"),
        "JSON": ("a.json", json.dumps({"type": "service_account", "private_key": pem})),
        "JSON with CRLF": ("b.json", json.dumps({"k": pem.replace("\n", "\r\n")})),
        "YAML": ("a.yaml", f"key: |\n{indented}"),
        "a comment": ("c.conf", "".join(f"# {line}\n" for line in pem.splitlines())),
        "a shell variable": ("a.sh", f"export KEY='{escaped}'\n"),
        "a Kubernetes Secret": (
            "s.yaml",
            f"apiVersion: v1\nkind: Secret\ndata:\n  tls.key: {in_base64}\n",
        ),
        "OpenVPN's inline key": ("a.ovpn", f"client\n<key>\n{pem}</key>\n"),
        "UTF-16": ("w.txt", ("\ufeff" + pem).encode("utf-16-le")),
        "UTF-16, big end": ("v.txt", ("\ufeff" + pem).encode("utf-16-be")),
        "behind 1 MiB": ("big.log", filler + key["pkcs8"]),
        "over the window's edge": ("edge.log", filler[: (1 << 20) - 900] + b"\n" + key["pkcs8"]),
        "a program": ("prog", b"\x7fELF" + bytes(900) + key["pkcs8"] + bytes(9)),
        "a Kubernetes config under another name": (
            "kc.yaml",
            "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: " + some(40),
        ),
        "a client's key for Kubernetes": (
            "kd.yaml",
            f"users:\n- user:\n    client-key-data: {in_base64}\n",
        ),
    }
    return {name: (f"etc/{path}", _bytes(data)) for name, (path, data) in files.items()}


def _bytes(data):
    return data.encode() if isinstance(data, str) else data


def _tokens():
    hexes = "0123456789abcdef"
    jwt = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "1", "name": "me"})
    )
    values = {
        **{f"GitHub {kind}": of_github(kind) for kind in "pousr"},
        "GitHub, fine-grained": "github" + "_pat_" + some(22) + "_" + some(59),
        "GitLab": "gl" + "pat-" + some(20),
        "npm": "np" + "m_" + some(36),
        "PyPI": "py" + "pi-AgEIcHlwaS5vcmc" + some(120),
        "Slack's bot": "xo" + "xb-123456789012-1234567890123-" + some(24),
        "Slack's user": "xo" + "xp-123456789012-123456789012-123456789012-" + some(32, hexes),
        "Slack's webhook": "https://hooks.sl" + "ack.com/services/T0ABCDEF1/B0ABCDEF2/" + some(24),
        "Stripe": "sk" + "_live_" + some(24),
        "Stripe, restricted": "rk" + "_live_" + some(24),
        "SendGrid": "S" + "G." + some(22) + "." + some(43),
        "Docker Hub": "dckr" + "_pat_" + some(27),
        "Hugging Face": "h" + "f_" + some(34),
        "Shopify": "shp" + "at_" + some(32, hexes),
        "DigitalOcean": "dop" + "_v1_" + some(64, hexes),
        "Google OAuth": "GOC" + "SPX-" + some(28),
        "Vault": "hv" + "s." + some(24),
        "New Relic": "NR" + "AK-" + some(27, string.ascii_uppercase + string.digits),
        "Grafana": "gl" + "sa_" + some(32) + "_" + some(8, hexes),
        "Terraform Cloud": some(14) + ".atlas" + "v1." + some(67),
        "OpenAI": "sk-" + some(20) + "T3Blbk" + "FJ" + some(20),
        "age": "AGE-SECRET-" + "KEY-1" + some(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    }
    near = "AK" + "IA" + some(16, string.ascii_uppercase + "234567")
    files = {name: f"service:\n  value: {value}\n" for name, value in values.items()}
    files["AWS under another name"] = f"[a]\nid = {near}\nkey = {some(38)}a1\n"
    files["AWS, the secret alone"] = "aws_secret_access_" + f"key = {some(40)}\n"
    files["Azure storage"] = "Endpoint=x;AccountName=a;Account" + f"Key={some(86)}==;E=y"
    files["JWT"] = f"{jwt}.{some(43)}\n"
    files["an access token in JSON"] = json.dumps({"access_token": f"{jwt}.{some(43)}"})
    files["a refresh token"] = json.dumps({"refresh_token": "1//0" + some(60)})
    return {
        name: (f"etc/tokens/{nth}.conf", text.encode())
        for nth, (name, text) in enumerate(files.items())
    }


def _hashes():
    crypt = "$" + "6$" + some(12) + "$" + some(86)
    files = {
        "a copy of shadow": f"root:{crypt}:19000:0:99999:7:::\n",
        "yescrypt": "me:$" + f"y$j9T${some(22)}${some(43)}:19000:0:::\n",
        "bcrypt, as htpasswd writes it": "me:$" + f"2y$05${some(53)}\n",
        "MD5, as htpasswd writes it": "me:$" + f"apr1${some(8)}${some(22)}\n",
        "SHA, as htpasswd writes it": "me:{SH" + f"A}}{some(27)}=\n",
        "PgBouncer's users": f'"me" "md5{some(32, "0123456789abcdef")}"\n',
        "PostgreSQL's dump": f"PASSWORD 'SCRAM-SHA-256$4096:{some(24)}${some(44)}:{some(44)}'",
    }
    return {name: (f"h/{nth}.txt", text.encode()) for nth, (name, text) in enumerate(files.items())}


def _services():
    static = "\n".join(some(32, "0123456789abcdef") for _ in range(16))
    files = {
        "WireGuard": ("wg.conf", "[Interface]\nPrivate" + f"Key = {some(42)}A=\n"),
        "OpenVPN's static key": ("ta.key", f"-----BEGIN OpenVPN {'Static'} key V1-----\n{static}"),
        "Docker's logins under another name": (
            "reg.json",
            json.dumps({"auths": {"r.io": {"auth": base64.b64encode(some(20).encode()).decode()}}}),
        ),
        "Terraform's state": (
            "terraform.tfstate",
            '{"terraform_version": "1", "lineage": "3f0c8f2e-0b5e-9f0a-1c2d-4a5b6c7d8e9f"}',
        ),
        "rndc's key": ("r.key", f'key "a" {{ algorithm hmac-sha256; secret "{some(43)}="; }};'),
        ".netrc under another name": ("n", f"machine a.org login me password {some(12)}\n"),
        "git's credentials under another name": ("g", f"https://me:{some(20)}@git.corp\n"),
        "a database's URL": ("db.yaml", f"url: postgres://me:{some(24)}aA1@db.corp:5432/x\n"),
        "Ethereum": (
            "UTC--1",
            '{"crypto":{"ciphertext":"' + some(64, "0123456789abcdef") + '","kdf":"scrypt","mac":"'
            + some(64, "0123456789abcdef") + '"}}',
        ),
    }  # fmt: skip
    return {name: (f"etc/{path}", text.encode()) for name, (path, text) in files.items()}


def _named():
    password = some(14)
    files = {
        ".env": f"DEBUG=1\nAPP_SECRET={password}\n",
        "prod.env": f"export DB_PASSWORD='{password}'\n",
        ".env.local": f"DATABASE_URL=mysql://me:{password}@db/x\n",
        "x.tfvars": f'db_password = "{password}"\n',
        ".git/config": f'[remote "origin"]\n\turl = https://me:{password}@git.corp/a.git\n',
        ".git-credentials": f"https://me:{password}@h\n",
        ".netrc": f"machine h password {password}\n",
        ".pgpass": f"h:5432:*:me:{password}\n",
        ".my.cnf": f"[client]\npassword={password}\n",
        ".vault-token": "s." + password,
        ".dockercfg": "{}\n",
        ".s3cfg": f"secret_key = {password}\n",
        ".boto": f"[Credentials]\ngs_oauth2_refresh_token = {password}\n",
        ".authinfo": f"machine h login me password {password}\n",
        ".bash_history": f"mysql -p{password}\n",
        ".psql_history": f"ALTER USER me PASSWORD '{password}'\n",
        ".htpasswd": "me:rqXexS6ZhobKA\n",
        ".terraform.d/credentials.tfrc.json": "{}\n",
        ".config/gh/hosts.yml": "github.com:\n",
        ".config/rclone/rclone.conf": "[a]\n",
        ".config/containers/auth.json": "{}\n",
        ".config/git/credentials": "https://h\n",
        ".config/sops/age/keys.txt": "# created\n",
        ".config/gcloud/credentials.db": "x",
        ".m2/settings.xml": f"<server><password>{password}</password></server>\n",
        ".cargo/credentials.toml": "[registry]\n",
        ".gem/credentials": ":rubygems_api_key: x\n",
        ".composer/auth.json": "{}\n",
        ".aws/credentials": "[default]\n",
        ".azure/msal_token_cache.json": "{}\n",
        ".docker/config.json": "{}\n",
        ".kube/config": "{}\n",
        ".pypirc": "[pypi]\n",
        ".npmrc": f"//registry.npmjs.org/:_authToken={password}\n",
        ".yarnrc.yml": f'npmAuthToken: "{password}"\n',
        "pip.conf": f"[global]\nindex-url = https://me:{password}@pypi.corp/simple\n",
        "logins.json": '{"logins":[{"encryptedPassword":"x"}]}\n',
        "key4.db": "SQLite format 3\0",
        "id_rsa": "whatever\n",
        ".ssh/deploy": "whatever\n",
        ".gnupg/pubring.kbx": "x",
        "config/master.key": some(32, "0123456789abcdef"),
        "wp-config.php": f"<?php\ndefine( 'DB_PASSWORD', '{password}' );\n",
        "wpa_supplicant.conf": f'network={{\n psk="{password}"\n}}\n',
        ".vault_pass": password,
    }
    return {path: (f"home/{path}", text.encode()) for path, text in files.items()}


def innocent(folder):
    """What stands beside a secret, or looks like one: name → path and bytes."""
    key = keys(folder)
    marker = f"-----BEGIN {'PRIVATE'} KEY-----"
    first = key["rsa"].decode().splitlines()[1]
    texts = {
        "a certificate": ("c.pem", key["certificate"]),
        "a certificate in DER": ("c.der", key["certificate der"]),
        "a public key in DER": ("p.der", key["public der"]),
        "a PKCS#12 truststore": ("t.p12", key["truststore"]),
        "a JKS truststore": ("cacerts", jks(b"\xfe\xed\xfe\xed", 2)),
        "a public key of PGP": ("p.gpg", key["pgp public"]),
        "a marker": ("m.py", f'if line == "{marker}":\n    return "a private key of this kind"\n'),
        "a shortened key": ("doc.md", f"{marker}\n{first}\n...\n-----END\n"),
        "a certificate in base64": ("k.yaml", b"ca: " + base64.b64encode(key["certificate"])),
        "an example of GitHub's": ("g.md", "token: gh" + "p_" + "x" * 36),
        "AWS's example": (
            "aws.md",
            "aws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE\naws_secret_access_key = "
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY\n",
        ),
        "a checksum": ("sums", "\n".join(some(40, "0123456789abcdef") for _ in range(9))),
        "a lock file": ("package-lock.json", json.dumps({"integrity": f"sha512-{some(86)}=="})),
        "a shell script": ("p.sh", "PATH=$PATH:$HOME/bin:$6$5\necho a:$1$2\n"),
        "an environment without values": (".env.example", "APP_SECRET=abcdefgh\n"),
        "an environment without secrets": (".env", "DEBUG=1\nSECRET_KEY=\nAPI_TOKEN=${TOKEN}\n"),
        "a .git/config": (".git/config", '[remote "origin"]\n\turl = https://git.corp/a.git\n'),
        "a URL in a document": ("u.md", "postgres://user:password@localhost/db\n"),
        ".npmrc": (".npmrc", "save-exact=true\n"),
        ".ssh/known_hosts": (".ssh/known_hosts", "h ssh-ed25519 AAAA\n"),
        ".ssh/authorized_keys": (".ssh/authorized_keys", "ssh-ed25519 AAAA me\n"),
        ".ssh/config": (".ssh/config", "Host a\n"),
        ".ssh/id.pub": (".ssh/id_rsa.pub", "ssh-rsa AAAA me\n"),
        "Maven's example": ("conf/settings.xml", "<a><!-- <password>pass</password> --></a>"),
        "Ansible's vault": ("v.yml", "$ANSIBLE_VAULT;1.1;AES256\n" + some(80, "0123456789")),
        "two bytes of a keytab": ("x.bin", b"\5\2" + bytes(range(200))),
        "PKCS#12's object identifier": ("o.bin", bytes(range(9)) + b"\x2a\x86\x48\x86\xf7\x0d\x01"),
        "a docker config without logins": ("d.json", '{"auths": {}, "credsStore": "x"}'),
        "an account": ("users", "me:x:1000:1000::/:/bin/sh\n"),
        "a program": ("prog", b"\x7fELF" + bytes(99) + f"{marker}\n%s\n".encode()),
        "an empty file": (".env.local", b""),
    }
    return {name: (f"srv/{path}", _bytes(data)) for name, (path, data) in texts.items()}


def write(cases, folder):
    """Put each case below a directory of its own; the files by their names."""
    files = {}
    for nth, (name, (path, data)) in enumerate(cases.items()):
        files[name] = folder / str(nth) / path
        files[name].parent.mkdir(parents=True)
        files[name].write_bytes(data)
    return files


def refused(files, folder):
    """The names of the cases that `--add` refuses."""
    where = Sources(DirectoryRoot(str(folder)))
    found = {one.path for one in secrets.Secrets(where).among(tree(where))}
    return {name for name, file in files.items() if f"/{file.relative_to(folder)}" in found}

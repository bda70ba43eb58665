"""A file's path → what makes it a secret, whatever is in it; or what to look for in it.

A name is enough where a tool keeps nothing but credentials there. Where it keeps settings too, the
file is a secret only with a value that is one: `ASKED` says which name asks for which pattern.
"""

import re

_SSH = "in a .ssh directory, where ssh keeps its keys"
_TOKENS = "where {} keeps its tokens"
_BROWSER = "passwords or sessions of a browser"

_NAMES = (  # as regular expressions, for the end of a path; a final / stands for all below
    (r"/\.ssh/(?!(?:.*/)?(?:known_hosts[^/]*|authorized_keys[^/]*|config|[^/]+\.pub)$)", _SSH),
    (r"/id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?$", "a private key of ssh"),
    (r"/\.gnupg/", "in a .gnupg directory, where GnuPG keeps its keys"),
    (r"/secring\.gpg$", "GnuPG's secret keys"),
    (r"/[._]netrc$", "passwords for curl, ftp, git …"),
    (r"/\.authinfo(?:\.gpg)?$", "passwords for Emacs, mail …"),
    (r"/\.git-credentials$|/\.config/git/credentials$", "passwords for git"),
    (r"/\.pgpass$", "passwords for PostgreSQL"),
    (r"/\.my(?:login)?\.cnf$", "passwords for MySQL"),
    (r"/\.pypirc$", "passwords or tokens for PyPI"),
    (r"/\.gem/credentials$", "tokens for RubyGems"),
    (r"/\.cargo/credentials(?:\.toml)?$", "tokens for crates.io"),
    (r"/\.(?:config/)?composer/auth\.json$", "tokens for Composer"),
    (r"/\.m2/settings-security\.xml$", "the password of Maven's passwords"),
    (r"/\.aws/(?:credentials$|(?:sso|cli)/cache/)", "keys for AWS"),
    (r"/\.(?:s3cfg|boto|passwd-s3fs)$", "keys for a cloud's storage"),
    (r"/\.azure/", "in .azure, where az keeps its tokens"),
    (r"/\.config/gcloud/", "in .config/gcloud, where gcloud keeps its tokens"),
    (r"/\.oci/(?:config$|sessions/)|/\.aliyun/config\.json$", "keys for a cloud"),
    (r"/\.docker/config\.json$|/\.dockercfg$", "passwords for image registries"),
    (r"/containers/auth\.json$", "passwords for image registries"),
    (r"/\.kube/config$", "keys for Kubernetes clusters"),
    (r"/\.vault-token$", "a token for Vault"),
    (r"/\.?vault[-_]pass(?:word)?(?:\.txt)?$", "the password of Ansible's vaults"),
    (r"/\.terraform\.d/credentials\.tfrc\.json$", "tokens for Terraform"),
    (r"/\.config/(?:gh/hosts\.yml|hub|glab-cli/config\.yml)$", _TOKENS.format("gh")),
    (r"/(?:\.config/rclone/|\.)rclone\.conf$", _TOKENS.format("rclone")),
    (r"/sops/age/keys\.txt$", "keys of age"),
    (
        r"/\.config/doctl/config\.yaml$|/\.config/hcloud/cli\.toml$",
        _TOKENS.format("a cloud's tool"),
    ),
    (r"/\.databrickscfg$|/\.snowsql/config$|/\.kaggle/kaggle\.json$", "keys for a data service"),
    (r"/\.(?:cache/)?huggingface/(?:stored_)?tokens?$", "a token for Hugging Face"),
    (r"/\.(?:config/)?ngrok2?/ngrok\.yml$", _TOKENS.format("ngrok")),
    (r"/\.config/stripe/config\.toml$|/\.fly/config\.yml$", _TOKENS.format("a service's tool")),
    (r"/\.circleci/cli\.yml$|/\.travis/config\.yml$", _TOKENS.format("a CI service's tool")),
    (r"/\.password-store/|/\.local/share/keyrings/", "in a store of passwords"),
    (r"/\.(?:smb)?credentials$|/\.msmtprc$|/\.fetchmailrc$", "passwords"),
    (r"/\.htpasswd$", "password hashes"),
    (r"/key[34]\.db$|/signons\.sqlite$|/cookies\.sqlite$", _BROWSER),
    (r"/(?:google-chrome|chromium)/.*/(?:Login Data|Cookies)$", _BROWSER),
    (r"/wallet\.dat$", "keys of a wallet"),
    (r"/(?:secrets|passdb)\.tdb$", "passwords of Samba"),
    (r"/\.[a-z0-9_]+_history$|/fish_history$|/\.dbshell$", "what somebody typed"),
)
_HINTS = (  # most paths have none: to look for these is quicker than to compile the patterns
    *("/.", "/id_", "/_netrc", "secring.gpg", "vault", "rclone.conf", "auth.json", "/sops/"),
    *("/key3.db", "/key4.db", ".sqlite", "chrom", "wallet.dat", ".tdb", "fish_history"),
)
_ANY = "|".join(pattern for pattern, _ in _NAMES)

_SET = rb"[ \t]*[=:][ \t]*"
_GIVEN = (
    rb"(?![\"']?(?:\$|\{|<|%|x{3}|your|change|example|null|none|true|false|test\b|\.\.\.))[^\s#;]"
)
_URL = (
    rb"\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^/\s:@\"'<>{}$]{0,80}:[^/\s@\"'<>{}$]{1,200}@[A-Za-z0-9]"
)
_TOKEN_IN_URL = rb"https?://[^/\s:@\"'<>{}$]{16,200}@[A-Za-z0-9]"
_ASSIGNED = (
    rb"(?im)^[ \t]*(?:export[ \t]+)?\"?[a-z0-9_.-]{0,64}"
    rb"(?:secret|token|password|passwd|passphrase|api_?key|private_?key|access_?key|credentials?)"
    rb"(?:_?[a-z0-9]{1,40})?\"?" + _SET + rb"\"?'?" + _GIVEN + rb"[^\s]{5}"
)
_WITH_PASSWORD = rb"(?im)^[^#\n]*passw(?:or)?d\"?" + _SET + _GIVEN

_WORDPRESS = (
    rb"(?m)^[ \t]*define\(\s*['\"](?:DB_PASSWORD|AUTH_KEY)['\"]\s*,\s*['\"]"
    rb"(?!password_here|put your)[^'\"]"
)

ASKED = (  # the end of a path, what must be in such a file, and what it is then
    (
        r"/\.?npmrc$",
        rb"(?m)^[^#;\n]*_(?:authToken|auth|password)[ \t]*=[ \t]*[^ \t\r\n$]",
        "a password or token for npm",
    ),
    (
        r"/\.yarnrc(?:\.yml)?$",
        rb"(?m)^[^#\n]*(?:npmAuthToken|npmAuthIdent|_authToken)\"?:?[ \t]*\"?[^ \t\r\n$\"]",
        "a password or token for npm",
    ),
    (
        r"/\.env(?:\.(?!example|sample|template|dist|defaults?|schema)[^/]+)?$|/[^/]+\.env$",
        _ASSIGNED + rb"|" + _URL,
        "passwords or tokens for a program's environment",
    ),
    (r"/[^/]+\.tfvars(?:\.json)?$", _ASSIGNED, "passwords or tokens for Terraform"),
    (
        r"/\.git/config$|/\.gitconfig$|/\.gitmodules$|/\.hgrc$|/\.hg/hgrc$",
        _URL + rb"|" + _TOKEN_IN_URL + rb"|(?m:^[^#\n]*extraheader\s*=\s*authorization:)",
        "a password or token in a URL",
    ),
    (
        r"/(?:pip|poetry|uv|auth)\.(?:conf|toml|ini)$|/\.condarc$|/\.wgetrc$|/\.curlrc$|/sources\.list$",
        _URL + rb"|(?m:^[^#\n]*(?:http-basic|pypi-token)[^=\n]*=\s*\S)"
        rb"|(?m:^[ \t]*(?:http_)?(?:password|user)[ \t]*=[ \t]*\S)"
        rb"|(?m:^[ \t]*machine\s+\S+\s+login\s+\S+\s+password\s+\S)",
        "a password of a package index",
    ),
    (r"/auth\.json$", rb"\"(?:password|github-oauth|gitlab-token|bearer)\"\s*:", "tokens"),
    (
        r"/settings\.xml$",
        rb"<(?:password|passphrase)>(?!\$\{)[^<\s]",
        "a password for Maven",
    ),
    (r"/gradle\.properties$", _WITH_PASSWORD, "a password for Gradle"),
    (
        r"/\.terraformrc$|/terraform\.rc$",
        rb"(?m)^[ \t]*token[ \t]*=[ \t]*\"[^\"]",
        "tokens for Terraform",
    ),
    (r"/logins\.json$", rb"\"encrypted(?:Username|Password)\"", _BROWSER),
    (r"/master\.key$", rb"\A[0-9a-f]{32}\s*\Z", "the key of Rails' credentials"),
    (
        r"/wp-config\.php$",
        _WORDPRESS,
        "the passwords of WordPress",
    ),
    (
        r"/wpa_supplicant[^/]*\.conf$|\.nmconnection$|\.psk$",
        rb"(?mi)^[ \t]*(?:psk|password|passphrase|preSharedKey|wep-key0)[ \t]*=[ \t]*\S",
        "the password of a network",
    ),
    (r"/\.?htpasswd[^/]*$|\.htpasswd$", rb"(?m)^[^:\s#]+:\S{10,}", "password hashes"),
)
_SOURCE = (
    r"\.(?:py|pyi|pyx|js|mjs|cjs|jsx|ts|tsx|map|c|cc|cpp|h|hpp|go|rs|java|kt|rb|php|pl|pm|css|html?"
    r"|svg|md|rst|adoc|po|[1-9](?:[a-z]+)?)$"
)
_ASKED_HINTS = (
    *("/.", "npmrc", ".env", ".tfvars", ".conf", ".toml", ".ini", "sources.list", "auth.json"),
    *("settings.xml", "gradle.properties", "terraform.rc", "logins.json", "master.key"),
    *("wp-config.php", ".nmconnection", ".psk", "htpasswd"),
)
_EXAMPLE = (
    r"/(?:gems|node_modules|site-packages|vendor)/"
    r"(?:.+\.(?:md|rst|d\.[cm]?ts)|.+/(?:__tests__|demo|examples?|fixtures|spec|tests?)/.+)$"
)
_ANY_ASKED = "|".join(pattern for pattern, _, _ in ASKED)


def why(path: str) -> str:
    """What makes every file of this path a secret; empty for most."""
    if not any(hint in path for hint in _HINTS) or not re.search(_ANY, path):
        return ""
    return next(text for pattern, text in _NAMES if re.search(pattern, path))


def is_example(path: str) -> bool:
    """Whether a file explains or tests a package of a registry: everybody has its keys."""
    return re.search(_EXAMPLE, path) is not None


def asked(path: str) -> int:
    """The place in `ASKED` of what such a file must be searched for, -1 for most."""
    if not any(hint in path for hint in _ASKED_HINTS) or not re.search(_ANY_ASKED, path):
        return -1
    return next(nth for nth, (pattern, _, _) in enumerate(ASKED) if re.search(pattern, path))


def kind(path: str) -> str:
    """What a path says of how its file is to be looked at; files of one kind have one fact."""
    nth = asked(path)
    if nth >= 0:
        return f"named {nth}"
    return "source" if re.search(_SOURCE, path) else "text"

"""The names that announce a secret: in a text, and of a field.

Uses only the standard library: a proxy loads this module.
"""

from __future__ import annotations

import re
from typing import Final

#: The separator between the parts of a name. Frameworks read nested settings from names with two: "API__KEY".
JOINT: Final = r"[-_\ ]{0,2}"
#: Words before "key" or "tokens" in the name of a secret. "sort_key" and "max_tokens" are not such names.
KINDS: Final = r"""(?:
        api\.?|access|account|private|subscription|signing|signature|encryption|decryption|master|auth|client|secret|virtual
      | salt|publish|fernet
      | ssh|hmac|shared|service|admin|root|app|application|licen[cs]e|session|security|storage|aes|rsa|pgp|gpg|tls|ssl
      | jwt|bearer|refresh|deploy|ingest|integration|server|provider|proxy|llm|recovery|bot|functions|user[-_\ ]api
      |openai|oci|azure|anthropic|claude|gemini|google|vertex|aws|bedrock|cohere|mistral|groq|deepseek|openrouter
      |perplexity|together|fireworks|replicate|xai|huggingface|hugging[-_]face|hf|nvidia|databricks|litellm|langfuse
      |langsmith|voyage|jina|pinecone|stripe|twilio|sendgrid|mailgun|datadog|sentry|slack|github|gitlab|cerebras
      |elevenlabs|tavily|helicone
      )"""
#: The same, before other words.
CODES: Final = r"(?:mfa|otp|totp|2fa|verification|security|auth|authorization|recovery|backup|one[-_\ ]?time)"
PASSES: Final = "(?:db|pg|smtp|sql|redis|admin|root|ftp|ssh|sudo|become|mail|imap|ldap|mqtt|proxy)"
WEBHOOKS: Final = "(?:slack|discord|teams|incoming)"
SESSIONS: Final = "(?:php|[aj])"
#: Suffixes of the name of a secret: a number, a version or an environment ("api_key_prod").
_SUFFIX: Final = r"""(?:[-_]?(?:v?[0-9]{1,3}|prod(?:uction)?|dev(?:elopment)?|stag(?:e|ing)|test|live|primary|secondary
      |default|bedrock|old|new|backup|value|string|json|eu|us|pem|confirm(?:ation)?|west|east|north|south|central)(?![A-Za-z])){0,3}"""
#: The last part of a name whose value is a secret. Looking ahead for its end saves most of the time, because the
#: beginnings then need not be tried at each place.
LABEL: Final = rf"""(?:(?:
        (?=[a-z._\ -]{{2,14}}?key){KINDS}{JOINT}keys? | secrets?
      | (?<!output\ )(?<!input\ )(?<!spend\ for\ )(?<!budget\ for\ )token  # LiteLLM's figures per token
      | secret{JOINT}key{JOINT}base | passw(?:or)?d[-_\ ]?hash(?:es)? | auth(?:orization)?[-_\ ]?headers?
      | {WEBHOOKS}[-_]?webhooks? | {SESSIONS}sess(?:ion)?id
      | pass[-_\ ]?(?:words?|wds?|phrases?|codes?)|pwd|authorization|credentials?
      | cookies?|webhook[-_\ ]?url|conn(?:ection)?[-_\ ]?str(?:ing)?s?
      | (?=[a-z2_\ -]{{3,15}}?code)
        {CODES}{JOINT}codes?
      | (?=[a-z]{{2,6}}[-_]{{0,2}}pass)
        {PASSES}[-_]{{0,2}}pass
      | (?:passwort|kennwort|contrase[nñ]a|mot[-_\ ]?de[-_\ ]?passe|senha)
      ){_SUFFIX})"""
#: The same in other scripts. There, only a value of ASCII characters is a secret.
LABEL_ASIAN: Final = (
    r"""(?:密码|密碼|口令|密钥|密鑰|パスワード|비밀번호|пароль)(?=["'`]?\s?[:=：＝]\s?["'`]?[!-~]{4})"""
)
#: The same for names that are also ordinary words. These count only at the beginning of a word.
WORD: Final = rf"""(?:(?:
        (?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:pass|pw|jwt|auth|bearer|t?otp|pin|creds?)
      | (?:(?<![\w-])|(?=[a-z_\ -]{{2,14}}?tokens){KINDS}{JOINT})tokens
      ){_SUFFIX})"""

#: The name of a field whose value is a secret. A session id counts only here: in a text it is mostly the id of a trace.
SECRET_NAME: Final = re.compile(rf"(?xi) (?:{LABEL}|{WORD}|(?<![A-Za-z])session[-_\ ]?id)\s*\Z")

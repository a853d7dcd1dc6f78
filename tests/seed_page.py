"""LiteLLM's alerting page as facts: its examples of configuration, word for word, and the rows of its tables."""

from __future__ import annotations

from typing import Final

QUICK_START: Final = """
general_settings:
  alerting: ["slack"]
  alerting_threshold: 300 # sends alerts if requests hang for 5min+ and responses take 5min+
  spend_report_frequency: "1d" # [Optional] set as 1d, 2d, 30d .... Specify how often you want a Spend Report to be sent

  # [OPTIONAL ALERTING ARGS]
  alerting_args:
    daily_report_frequency: 43200 # 12 hours in seconds
    report_check_interval: 3600 # 1 hour in seconds
    budget_alert_ttl: 86400 # 24 hours in seconds
    outage_alert_ttl: 60 # 1 minute in seconds
    region_outage_alert_ttl: 60 # 1 minute in seconds
    minor_outage_alert_threshold: 5
    major_outage_alert_threshold: 10
    max_outage_alert_list_size: 1000
    log_to_console: false
"""
REDACTED: Final = """
general_settings:
  alerting: ["slack"]
  alert_types: ["spend_reports"]

litellm_settings:
  redact_messages_in_exceptions: True
"""
CHOSEN: Final = """
general_settings:
  alerting: ["slack"]
  alert_types: [
    "llm_exceptions",
    "llm_too_slow",
    "llm_requests_hanging",
    "budget_alerts",
    "spend_reports",
    "db_exceptions",
    "daily_reports",
    "cooldown_deployment",
    "new_model_added",
  ]
"""
ONE_CHANNEL_EACH: Final = """
model_list:
  - model_name: gpt-4
    litellm_params:
      model: openai/fake
      api_key: fake-key
      api_base: https://exampleopenaiendpoint-production.up.railway.app/

general_settings:
  master_key: sk-1234
  alerting: ["slack"]
  alerting_threshold: 0.0001 # (Seconds) set an artificially low threshold for testing alerting
  alert_to_webhook_url: {
    "llm_exceptions": "https://hooks.slack.com/services/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",
    "llm_too_slow": "https://hooks.slack.com/services/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",
    "llm_requests_hanging": "https://hooks.slack.com/services/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",
    "budget_alerts": "https://hooks.slack.com/services/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",
    "db_exceptions": "https://hooks.slack.com/services/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",
    "daily_reports": "https://hooks.slack.com/services/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",
    "spend_reports": "https://hooks.slack.com/services/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",
    "cooldown_deployment": "https://hooks.slack.com/services/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",
    "new_model_added": "https://hooks.slack.com/services/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",
    "outage_alerts": "https://hooks.slack.com/services/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",
  }

litellm_settings:
  success_callback: ["langfuse"]
"""
SEVERAL_CHANNELS_EACH: Final = """
model_list:
  - model_name: gpt-4
    litellm_params:
      model: openai/fake
      api_key: fake-key
      api_base: https://exampleopenaiendpoint-production.up.railway.app/

general_settings:
  master_key: sk-1234
  alerting: ["slack"]
  alerting_threshold: 0.0001 # (Seconds) set an artificially low threshold for testing alerting
  alert_to_webhook_url: {
    "llm_exceptions": ["os.environ/SLACK_WEBHOOK_URL", "os.environ/SLACK_WEBHOOK_URL_2"],
    "llm_too_slow": ["https://webhook.site/7843a980-a494-4967-80fb-d502dbc16886", "https://webhook.site/28cfb179-f4fb-4408-8129-729ff55cf213"],
    "llm_requests_hanging": ["os.environ/SLACK_WEBHOOK_URL_5", "os.environ/SLACK_WEBHOOK_URL_6"],
    "budget_alerts": ["os.environ/SLACK_WEBHOOK_URL_7", "os.environ/SLACK_WEBHOOK_URL_8"],
    "db_exceptions": ["os.environ/SLACK_WEBHOOK_URL_9", "os.environ/SLACK_WEBHOOK_URL_10"],
    "daily_reports": ["os.environ/SLACK_WEBHOOK_URL_11", "os.environ/SLACK_WEBHOOK_URL_12"],
    "spend_reports": ["os.environ/SLACK_WEBHOOK_URL_13", "os.environ/SLACK_WEBHOOK_URL_14"],
    "cooldown_deployment": ["os.environ/SLACK_WEBHOOK_URL_15", "os.environ/SLACK_WEBHOOK_URL_16"],
    "new_model_added": ["os.environ/SLACK_WEBHOOK_URL_17", "os.environ/SLACK_WEBHOOK_URL_18"],
    "outage_alerts": ["os.environ/SLACK_WEBHOOK_URL_19", "os.environ/SLACK_WEBHOOK_URL_20"],
  }

litellm_settings:
  success_callback: ["langfuse"]
"""
TEAMS: Final = """
model_list:
  model_name: "azure-model"
  litellm_params:
    model: "azure/gpt-35-turbo"
    api_key: "my-bad-key" # 👈 bad key

general_settings:
  alerting: ["slack"]
  alerting_threshold: 300 # sends alerts if requests hang for 5min+ and responses take 5min+
"""
DISCORD: Final = """
model_list:
  model_name: "azure-model"
  litellm_params:
    model: "azure/gpt-35-turbo"
    api_key: "my-bad-key" # 👈 bad key

general_settings:
  alerting: ["slack"]
  alerting_threshold: 300 # sends alerts if requests hang for 5min+ and responses take 5min+

environment_variables:
  SLACK_WEBHOOK_URL: "https://discord.com/api/webhooks/1240030362193760286/cTLWt5ATn1gKmcy_982rl5xmYHsrM1IWJdmCL1AyOmU9JdQXazrp8L1_PYgUtgxj8x4f/slack"
"""
WEBHOOK: Final = """
general_settings:
  alerting: ["webhook"] # 👈 KEY CHANGE
"""
REGIONS: Final = """
general_settings:
  alerting: ["slack"]
  alert_types: ["region_outage_alerts"]
"""
REGIONS_TUNED: Final = """
general_settings:
  alerting: ["slack"]
  alert_types: ["region_outage_alerts"]
  alerting_args:
    region_outage_alert_ttl: 60 # time-window in seconds
    minor_outage_alert_threshold: 5 # number of errors to trigger a minor alert
    major_outage_alert_threshold: 10 # number of errors to trigger a major alert
"""

#: The addresses that the page sets in the environment.
TEAMS_URL: Final = (
    "https://berriai.webhook.office.com/webhookb2/...6901/IncomingWebhook/b55fa0c2a48647be8e6effedcd540266/"
    "e04b1092-4a3e-44a2-ab6b-29a0a4854d1d"
)
WEBHOOK_URL: Final = "https://webhook.site/6ab090e8-c55f-4a23-b075-3209f5c57906"

#: The tables of alert types: name and whether it is on by default.
TYPES: Final = {
    "llm_exceptions": True,
    "llm_too_slow": True,
    "llm_requests_hanging": True,
    "cooldown_deployment": True,
    "new_model_added": True,
    "outage_alerts": True,
    "region_outage_alerts": True,
    "budget_alerts": True,
    "spend_reports": True,
    "failed_tracking_spend": True,
    "daily_reports": True,
    "fallback_reports": True,
    "db_exceptions": True,
    "new_virtual_key_created": False,
    "virtual_key_updated": False,
    "virtual_key_deleted": False,
    "new_team_created": False,
    "team_updated": False,
    "team_deleted": False,
    "new_internal_user_created": False,
    "internal_user_updated": False,
    "internal_user_deleted": False,
}
#: The table of ``alerting_args``; times in seconds.
ARGS: Final = {
    "daily_report_frequency": 43_200,
    "report_check_interval": 3_600,
    "budget_alert_ttl": 86_400,
    "outage_alert_ttl": 60,
    "region_outage_alert_ttl": 60,
    "minor_outage_alert_threshold": 5,
    "major_outage_alert_threshold": 10,
    "max_outage_alert_list_size": 1_000,
    "log_to_console": False,
}
#: The specification of the webhook's event: which types each field may have.
FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "spend": (float,),
    "max_budget": (float, type(None)),
    "token": (str,),
    "customer_id": (str, type(None)),
    "internal_user_id": (str, type(None)),
    "team_id": (str, type(None)),
    "user_email": (str, type(None)),
    "key_alias": (str, type(None)),
    "projected_exceeded_date": (str, type(None)),
    "projected_spend": (float, type(None)),
    "event": (str,),
    "event_group": (str,),
    "event_message": (str,),
}
#: Fields that stand only in the page's sample of an event.
SAMPLE_FIELDS: Final = {"user_id"}
#: Its values of ``event`` and ``event_group``, and at which shares of a budget a threshold is crossed, in per cent.
EVENTS: Final = ("spend_tracked", "budget_crossed", "threshold_crossed", "projected_limit_exceeded")
GROUPS: Final = ("customer", "internal_user", "key", "team", "proxy")
SHARES: Final = (85, 95)
#: The services that its calls of ``/health/services`` name.
SERVICES: Final = ("slack", "webhook")

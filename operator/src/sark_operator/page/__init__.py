"""The page to look at: a read-only web page about the rollouts, in a thread of its own beside the operator.

`view` turns values into what is shown, and knows neither network nor clock. Around it stand the doors (who may look, what is
read of Kubernetes and Prometheus), the web application, and the thread. Nothing the operator works with imports any of this:
only the process's entry starts it.
"""


class PageError(Exception):
    """The page cannot be served; the message says what to mend."""

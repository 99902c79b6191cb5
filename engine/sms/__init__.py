"""Text messages: what they cost before they go, what comes back, and what gateways say."""

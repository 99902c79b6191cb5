"""Providers of e-mail: one small module for each reads its webhooks, once they are proved, into the one event model."""

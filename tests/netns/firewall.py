"""Rules that many gateways have besides ours."""

from __future__ import annotations

FIREWALL = """
table inet firewall {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state invalid drop
        ct state established,related accept
        iifname "lan0" ct state new accept
    }
    chain input {
        type filter hook input priority 0; policy accept;
        ct state invalid drop
    }
    chain output {
        type filter hook output priority 0; policy accept;
        ct state invalid drop
    }
}
"""
"""Stateful filtering as every guide has it."""

MASQUERADE = """
table ip translation {
    chain postrouting {
        type nat hook postrouting priority 100; policy accept;
        oifname "wan0" masquerade
    }
}
"""
"""Source address translation on the way out."""

"""Notebooks executed, judged and published: runs, pages, the ledger of claims, the meeting.

Here: whatever handles whole notebooks. Not here: what a cell shows (show), the command line (cli).
"""

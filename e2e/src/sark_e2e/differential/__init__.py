"""Asks a real OPA server and the embedded engine the same questions and compares the answers.

A case is a set of modules, base data, inputs and decision paths, from the corpus, from mutations of it, or made by a grammar.
A refusal of the engine is counted; a different answer is a finding, made small and written as a file that stands alone.
"""

"""Submissions to the Stanford RNA 3D Folding benchmark: merged from several sources, checked, recorded."""

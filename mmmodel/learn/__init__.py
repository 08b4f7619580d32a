"""The learner's side: predictions, exercises, answers judged by running the model, hints, solutions, progress.

Here: what is asked, and how an answer is judged. Not here: figures (show), working anything out (study).
"""

from ..words import modules_of

__getattr__ = modules_of(__name__)

"""Labelled sequences: fit, score, answer while a sequence is still coming in, keep one small file.

python examples/classify.py
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import pastforward as pf


def main(budget: pf.Budget | None = None) -> None:
    """Images pixel by pixel, 64 steps of one number; a minute when no budget is given."""
    steps = budget and budget.steps
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    clf = pf.SequenceClassifier(seconds=60, steps=steps, random_state=0, verbose=1).fit(X, y)
    print(
        f"{clf.score(X_test, y_test):.1%} right, {clf.predict_proba(X_test).max(1).mean():.2f} sure"
    )
    stream = clf.stream()  # constant memory, whatever came before
    for pixel in X_test[0]:
        chances = stream.push(pixel)
    print(f"A {y_test[0]}; probabilities after its last pixel: {chances.round(2)}")
    clf.save("digits.safetensors")
    print(pf.SequenceClassifier.load("digits.safetensors").predict(X_test[:10]), y_test[:10])


if __name__ == "__main__":
    main()

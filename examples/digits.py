"""Three classifiers of handwritten digits, and what they predict for digits they have not seen.

Trains logistic regression, naive Bayes and a random forest on scikit-learn's bundled digits and writes their test
predictions, one file a model; `make score` reads those that are kept in examples/data/. Needs scikit-learn:
pip install 'xent[examples]'.
"""

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODELS = {
    "logistic_regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    # With scikit-learn's default smoothing, 14 of the 899 truths get probability 0: the loss is infinite.
    "naive_bayes": GaussianNB(var_smoothing=0.01),
    "random_forest": RandomForestClassifier(n_estimators=200, random_state=0),
}


def written(folder: Path) -> list[Path]:
    """Train, predict, write; the files are named after the models."""
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data, digits.target, test_size=0.5, random_state=0, stratify=digits.target
    )
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, model in MODELS.items():
        probabilities = model.fit(train_x, train_y).predict_proba(test_x)
        columns = {f"p_{digit}": probabilities[:, column] for column, digit in enumerate(model.classes_)}
        path = folder / f"digits_{name}.parquet"
        pq.write_table(pa.table({"label": test_y, **columns}), path, compression="zstd")
        paths.append(path)
    return paths


def main() -> None:
    """Write the files, and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("out"), metavar="FOLDER",
                        help="where to write (%(default)s)")  # fmt: skip
    for path in written(parser.parse_args().output):
        print(path)


if __name__ == "__main__":
    main()

"""LightGBM and XGBoost models in packed form."""
